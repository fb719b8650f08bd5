//! Wrong: each job holds one permit and waits for another.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

// ANCHOR: wrong
/// Copies a file: it needs a slot to read, and a slot to write.
async fn copy(slots: &Semaphore) {
    let reading = slots.acquire().await;
    let _reading = reading.expect("it is never closed");
    sleep(Duration::from_millis(10)).await;
    // Wrong: the other jobs do the same while they hold a slot.
    let writing = slots.acquire().await;
    let _writing = writing.expect("it is never closed");
    sleep(Duration::from_millis(10)).await;
}
// ANCHOR_END: wrong

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
    async fn overload_two_copies() {
        assert_eq!(two_copies().await, None);
    }
}
