//! Tokio's RwLock serves its waiters in the order in which they arrived.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::RwLock,
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: queue
/// Every task holds the lock for 100 ms. They arrive 10 ms apart.
async fn four_callers() -> Vec<String> {
    let (lock, start) = (Arc::new(RwLock::new(())), Instant::now());
    let mut callers = JoinSet::new();
    for name in ["reader 1", "writer", "reader 2", "reader 3"] {
        let lock = Arc::clone(&lock);
        callers.spawn(async move {
            if name == "writer" {
                let _guard = lock.write().await;
                held(name, start).await
            } else {
                let _guard = lock.read().await;
                held(name, start).await
            }
        });
        sleep(Duration::from_millis(10)).await;
    }
    callers.join_all().await
}

async fn held(name: &str, start: Instant) -> String {
    let from = start.elapsed();
    sleep(Duration::from_millis(100)).await;
    format!("{name}: from {from:?} to {:?}", start.elapsed())
}
// ANCHOR_END: queue

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in four_callers().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_does_not_overtake_a_writer() {
        let lines = four_callers().await;
        let writer = lines.iter().position(|it| it.contains("writer"));
        let reader =
            lines.iter().position(|it| it.contains("reader 2"));
        assert!(writer < reader);
        let last = lines.last().expect("there are four");
        assert!(last.contains("from 200ms"), "{last}");
    }
}
