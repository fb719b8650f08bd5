//! Say which error an async block, a closure, or a task returns.

use anyhow::{Error, Result};
use tokio::task::JoinHandle;

// ANCHOR: main
async fn quote(text: &str) -> Result<u32> {
    Ok(text.parse()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let truck = tokio::spawn(async {
        let price: u32 = "12".parse()?;
        Ok::<_, Error>(price)
    });
    let plane: JoinHandle<Result<u32>> = tokio::spawn(async {
        let price: u32 = "30".parse()?;
        Ok(price)
    });
    let ship = tokio::spawn(quote("8"));
    let drone = async || -> Result<u32> { Ok("9".parse()?) };

    println!("truck {}, plane {}", truck.await??, plane.await??);
    println!("ship {}, drone {}", ship.await??, drone().await?);
    Ok(())
}
// ANCHOR_END: main
