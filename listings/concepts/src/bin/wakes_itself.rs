//! Wrong: a future that wakes its own task in every poll keeps a core busy.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;

// ANCHOR: wrong
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    polls: AtomicU64,
}

/// Wrong: asks to be polled again immediately, although nothing has
/// changed.
struct Opened(Arc<Door>);

impl Future for Opened {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.0.polls.fetch_add(1, Ordering::Relaxed);
        if self.0.is_open.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
// ANCHOR_END: wrong

/// Opens the door after 50 ms, and returns how many times the
/// future of a guest was polled.
async fn polls_of_a_guest() -> u64 {
    let door = Arc::new(Door::default());
    let guest = tokio::spawn(Opened(Arc::clone(&door)));
    sleep(Duration::from_millis(50)).await;
    door.is_open.store(true, Ordering::Release);
    guest.await.expect("it does not panic");
    door.polls.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let polls = polls_of_a_guest().await;
    println!("polled more than 100 times in 50 ms: {}", polls > 100);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_door_costs_two_polls() {
        assert!(polls_of_a_guest().await > 100);
    }

    /// Time advances only while all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn clock_that_is_paused_stands_still() {
        let door = Arc::new(Door::default());
        let guest = tokio::spawn(Opened(Arc::clone(&door)));
        let opens = Arc::clone(&door);
        let opening = tokio::spawn(async move {
            sleep(Duration::from_millis(50)).await;
            opens.is_open.store(true, Ordering::Release);
        });
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        assert!(!guest.is_finished() && !opening.is_finished());
        guest.abort();
        opening.await.expect("it does not panic");
    }
}
