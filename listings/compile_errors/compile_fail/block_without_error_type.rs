//! Wrong: nothing says which error the block returns.

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    let quote = tokio::spawn(async {
        let price: u32 = "12".parse()?;
        Ok(price)
    });
    println!("{} EUR", quote.await??);
    Ok(())
}
