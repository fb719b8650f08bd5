//! Wrong: `main` returns a `Result`, but its body ends without `Ok(())`.

use std::num::ParseIntError;

async fn quote(parcels: &str) -> Result<u32, ParseIntError> {
    let parcels: u32 = parcels.parse()?;
    Ok(12 * parcels)
}

#[tokio::main]
async fn main() -> Result<(), ParseIntError> {
    println!("{} EUR", quote("3").await?);
}
