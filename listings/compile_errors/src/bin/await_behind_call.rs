//! Write `.await` after the call, `?` after the `.await`, and `async move` in this order.
use std::{error::Error, num::ParseIntError};

async fn delay_of(train: u32) -> Result<u32, ParseIntError> {
    tokio::task::yield_now().await;
    train.to_string()[1..].parse()
}

// ANCHOR: order
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let first = delay_of(17).await?;
    let second = delay_of(42).await?.to_string();
    let trains = [17, 42];
    let count = tokio::spawn(async move { trains.len() });
    println!("{first} and {second} minutes, {} trains", count.await?);
    Ok(())
}
// ANCHOR_END: order
