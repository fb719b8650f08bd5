//! Each job acquires all the permits that it needs in one call.

use std::sync::Arc;

use tokio::{
    sync::{AcquireError, Semaphore},
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

// ANCHOR: at_once
/// Slots to read and to write. A copy needs two, so there must be at
/// least two.
fn slots(count: usize) -> Semaphore {
    Semaphore::new(count.max(2))
}

/// Copies a file: it needs a slot to read, and a slot to write.
async fn copy(slots: &Semaphore) -> Result<(), AcquireError> {
    let _both = slots.acquire_many(2).await?;
    sleep(Duration::from_millis(10)).await;
    sleep(Duration::from_millis(10)).await;
    Ok(())
}
// ANCHOR_END: at_once

/// Two copies, with two slots. Returns how long they take.
async fn two_copies() -> Option<Duration> {
    let slots = Arc::new(slots(2));
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
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_two_copies() {
        let took = two_copies().await;
        assert_eq!(took, Some(Duration::from_millis(40)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_wait_for_each_other() {
        let slots = Arc::new(slots(3));
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let slots = Arc::clone(&slots);
            tasks.spawn(async move { copy(&slots).await });
        }
        let copied = within(HOUR, tasks.join_all()).await;
        assert!(copied.iter().all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_both_back() {
        at_every_poll(async |cancel| {
            let slots = slots(2);
            cancel.run(copy(&slots)).await;
            assert_eq!(slots.available_permits(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_fewer_slots_than_a_copy_needs() {
        for count in [0, 1] {
            let slots = slots(count);
            assert!(within(HOUR, copy(&slots)).await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_those_that_wait() {
        let slots = slots(2);
        let one = copy(&slots);
        let close = async { slots.close() };
        let (one, (), other) =
            tokio::join!(biased; one, close, copy(&slots));
        assert!(one.is_ok() && other.is_err());
    }
}
