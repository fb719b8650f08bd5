//! Await only futures: call the function, and use Tokio's version of a blocking call.

use std::time::Duration;

use tokio::{sync::Mutex, task::JoinSet, time::sleep};

// ANCHOR: main
async fn reading(station: u32) -> u32 {
    // Not `std::thread::sleep`, which blocks and returns `()`.
    sleep(Duration::from_millis(10)).await;
    15 + station
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // Call the function or the closure: the call returns the future.
    let first = reading(1).await;
    let calibrated = async |station| reading(station).await - first;
    println!("{first}, {}", calibrated(3).await);

    // Several tasks: not a `Vec` of handles, but a `JoinSet`.
    let tasks: JoinSet<u32> = (1..=3).map(reading).collect();
    println!("{} readings", tasks.join_all().await.len());

    // The lock of a Tokio mutex is a future; the one of std isn't.
    let latest = Mutex::new(first);
    println!("{}", latest.lock().await);
}
// ANCHOR_END: main
