//! Wrong: each reading is sent by a task of its own, and they arrive out of order.

// ANCHOR: wrong
use tokio::sync::mpsc::{self, Sender, error::SendError};

/// Wrong: the tasks may run in any order.
async fn measure(to: &Sender<u32>) -> Result<(), SendError<u32>> {
    for reading in [1, 2, 3, 4, 5] {
        let to = to.clone();
        tokio::spawn(async move { to.send(reading).await });
    }
    Ok(())
}
// ANCHOR_END: wrong

/// Everything that arrives, from a station in a task.
async fn arrivals() -> Vec<u32> {
    let (to, mut from) = mpsc::channel(8);
    let station = tokio::spawn(async move { measure(&to).await });
    let mut all = Vec::new();
    while let Some(reading) = from.recv().await {
        all.push(reading);
    }
    station.await.ok();
    all
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    println!("{:?}", arrivals().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_keep_the_order() {
        // They don't, in this version of Tokio: the last one is first.
        for _ in 0..100 {
            assert_eq!(arrivals().await, [5, 1, 2, 3, 4]);
        }
    }

    #[tokio::test]
    async fn a_test_on_one_thread_finds_nothing() {
        for _ in 0..100 {
            assert_eq!(arrivals().await, [1, 2, 3, 4, 5]);
        }
    }
}
