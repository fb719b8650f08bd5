//! Each job takes all the permits that it needs at once.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

// ANCHOR: at_once
/// Copies a file: it needs a slot to read, and a slot to write.
async fn copy(slots: &Semaphore) {
    let both = slots.acquire_many(2).await;
    let _both = both.expect("it is never closed");
    sleep(Duration::from_millis(10)).await;
    sleep(Duration::from_millis(10)).await;
}
// ANCHOR_END: at_once

/// Two copies, with two slots. How long do they take?
async fn two_copies() -> Option<Duration> {
    let slots = Arc::new(Semaphore::new(2));
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let slots = Arc::clone(&slots);
        tasks.spawn(async move { copy(&slots).await });
    }
    let (start, hour) = (Instant::now(), Duration::from_secs(3600));
    let copied = timeout(hour, tasks.join_all()).await;
    copied.ok().map(|_| start.elapsed())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match two_copies().await {
        Some(took) => println!("copied in {} ms", took.as_millis()),
        None => println!("waited for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other() {
        let took = two_copies().await;
        assert_eq!(took, Some(Duration::from_millis(40)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_several_threads_too() {
        assert!(two_copies().await.is_some());
    }
}
