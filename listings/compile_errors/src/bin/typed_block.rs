//! An async block with `?` names its error type in its last expression.

use anyhow::{Error, Result};

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let total = async {
        let price: u32 = "12".parse()?;
        let shipping: u32 = "4".parse()?;
        Ok::<_, Error>(price + shipping)
    };
    println!("total: {} EUR", total.await?);
    Ok(())
}
// ANCHOR_END: main
