//! Wrong: it awaits a blocking call, a function, and a list of tasks.

use std::{thread::sleep, time::Duration};

async fn reading(station: u32) -> u32 {
    sleep(Duration::from_millis(10)).await;
    15 + station
}

#[tokio::main]
async fn main() {
    let first = reading.await;
    let tasks: Vec<_> =
        (1..=3).map(reading).map(tokio::spawn).collect();
    tasks.await;
}
