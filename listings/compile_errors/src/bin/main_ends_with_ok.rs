//! End a `main` that returns a `Result` with `Ok(())`.

use std::num::ParseIntError;

// ANCHOR: main
async fn quote(parcels: &str) -> Result<u32, ParseIntError> {
    let parcels: u32 = parcels.parse()?;
    Ok(12 * parcels)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ParseIntError> {
    println!("{} EUR", quote("3").await?);
    Ok(())
}
// ANCHOR_END: main
