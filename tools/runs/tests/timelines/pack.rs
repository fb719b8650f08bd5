//! Pack two orders with one permit, beside other work.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

async fn pack(order: u64) -> u64 {
    sleep(Duration::from_millis(order * 100)).await;
    order
}

async fn audit() {
    sleep(Duration::from_millis(40)).await;
}

async fn idle() {
    sleep(Duration::from_millis(5)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let permits = Arc::new(Semaphore::new(1));
    let mut tasks = JoinSet::new();
    let idle = tokio::spawn(idle());
    drop(idle);
    for order in [1, 2] {
        let permit = Arc::clone(&permits).acquire_owned().await;
        tasks.spawn(async move {
            let packed = pack(order).await;
            drop(permit);
            packed
        });
    }
    tokio::spawn(audit()).await.expect("no panic");
    let mut sum = 0;
    while let Some(packed) = tasks.join_next().await {
        sum += packed.expect("no panic");
    }
    println!("packed {sum}");
}
