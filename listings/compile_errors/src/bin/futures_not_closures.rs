//! Pass a future to `spawn`, and a closure that returns futures to a stream.

use std::time::Duration;

use futures::{StreamExt, future::ready, stream};
use tokio::{
    task::JoinError,
    time::{sleep, timeout},
};

// ANCHOR: main
async fn reading(station: u32) -> u32 {
    sleep(Duration::from_millis(10)).await;
    15 + station
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    // An async block or a call is a future; a closure isn't one.
    let task = tokio::spawn(async move { reading(1).await });
    println!("{}", task.await?);
    let limit = Duration::from_secs(1);
    println!("{:?}", timeout(limit, reading(2)).await);

    // These closures return futures.
    stream::iter(1..=4)
        .filter(|station| ready(station % 2 == 0))
        .then(reading)
        .for_each(|degrees| async move { println!("{degrees}") })
        .await;
    Ok(())
}
// ANCHOR_END: main
