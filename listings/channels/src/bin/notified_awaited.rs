//! The method waits, instead of returning the future.

// ANCHOR: doorbell
use tokio::sync::Notify;

#[derive(Default)]
struct Doorbell {
    /// Ring with `notify_one`: it keeps one ring for later.
    rung: Notify,
}

impl Doorbell {
    /// Waits until the bell rings.
    async fn wait(&self) {
        self.rung.notified().await;
    }
}

/// Opens the door whenever the bell rings, at most three times.
async fn open_door(doorbell: &Doorbell) -> u32 {
    let mut opened = 0;
    while opened < 3 {
        doorbell.wait().await;
        opened += 1;
    }
    opened
}
// ANCHOR_END: doorbell

use futures::FutureExt;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let doorbell = Doorbell::default();
    match open_door(&doorbell).now_or_never() {
        Some(opened) => println!("nobody rang, opened {opened} times"),
        None => println!("nobody rang, and it waits"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[test]
    fn silence_of_the_bell() {
        let doorbell = Doorbell::default();
        assert_eq!(open_door(&doorbell).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn again_it_opens_three_times_at_most() {
        let doorbell = Doorbell::default();
        let ring = async {
            for _ in 0..3 {
                doorbell.rung.notify_one();
                tokio::task::yield_now().await;
            }
        };
        let run = async { tokio::join!(open_door(&doorbell), ring).0 };
        assert_eq!(within(HOUR, run).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_woken_waiter_wakes_the_next() {
        let doorbell = Doorbell::default();
        let mut one = Box::pin(doorbell.wait());
        let mut two = Box::pin(doorbell.wait());
        assert!(futures::poll!(one.as_mut()).is_pending());
        assert!(futures::poll!(two.as_mut()).is_pending());
        doorbell.rung.notify_one();
        drop(one);
        assert!(futures::poll!(two.as_mut()).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_passes_a_ring_on() {
        at_every_poll(async |cancel| {
            let doorbell = Doorbell::default();
            doorbell.rung.notify_one();
            let wait = async {
                tokio::task::yield_now().await;
                doorbell.wait().await;
            };
            let heard = cancel.run(wait).await;
            // Heard by the first, or kept for the next.
            let next = doorbell.wait().now_or_never();
            assert_ne!(heard.is_some(), next.is_some());
        })
        .await;
    }
}
