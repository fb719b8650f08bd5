//! Make the function async, replace the closure with a `match`, and the thread with a task.
use tokio::task::JoinError;

async fn delay_of(train: u32) -> u32 {
    tokio::task::yield_now().await;
    train % 10
}

// ANCHOR: three
async fn total_delay(trains: &[u32]) -> u32 {
    let mut total = 0;
    for train in trains {
        total += delay_of(*train).await;
    }
    total
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let known = None;
    let delay = match known {
        Some(delay) => delay,
        None => delay_of(17).await,
    };
    let display = tokio::spawn(delay_of(42));
    println!("train 17 is {delay} minutes late");
    println!("train 42 is {} minutes late", display.await?);
    println!("in total: {} minutes", total_delay(&[17, 42]).await);
    Ok(())
}
// ANCHOR_END: three
