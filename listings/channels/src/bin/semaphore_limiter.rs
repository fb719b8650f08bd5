//! A semaphore returns each slot, even if the work is canceled.

// ANCHOR: limiter
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

/// Limits how many exports run at a time, and for how long.
struct Limiter {
    slots: Semaphore,
    limit: Duration,
}

#[derive(Debug, PartialEq)]
enum NotDone {
    /// The limiter is closed. The export wasn't started.
    Closed,
    /// It timed out and was dropped; its work may be done or not.
    TooLong,
}

impl Limiter {
    /// Waits for a slot: first come, first served.
    async fn run<T>(
        &self,
        export: impl Future<Output = T>,
    ) -> Result<T, NotDone> {
        let slot = self.slots.acquire().await;
        let _slot = slot.map_err(|_| NotDone::Closed)?;
        let exported = timeout(self.limit, export).await;
        exported.map_err(|_| NotDone::TooLong)
    }

    fn add_slots(&self, more: usize) {
        self.slots.add_permits(more);
    }

    /// Removes slots that are free now. Returns how many.
    fn remove_slots(&self, fewer: usize) -> usize {
        self.slots.forget_permits(fewer)
    }
}
// ANCHOR_END: limiter

use tokio::time::sleep;

impl Limiter {
    fn new(slots: usize) -> Self {
        let limit = Duration::from_secs(60);
        Self { slots: Semaphore::new(slots), limit }
    }
}

/// Two customers give up after a second. A third one has a minute: is
/// its export done?
async fn run(limiter: &Limiter) -> bool {
    let export = |seconds| sleep(Duration::from_secs(seconds));
    let give_up = Duration::from_secs(1);
    let given_up = tokio::join!(
        timeout(give_up, limiter.run(export(10))),
        timeout(give_up, limiter.run(export(10))),
    );
    assert!(given_up.0.is_err() && given_up.1.is_err());
    let minute = Duration::from_secs(60);
    let third = timeout(minute, limiter.run(export(2))).await;
    matches!(third, Ok(Ok(())))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let limiter = Limiter::new(2);
    match run(&limiter).await {
        true => println!("the third export is done"),
        false => println!("nobody exports, and the third one waits"),
    }
    limiter.add_slots(2);
    println!("of four slots, removed: {}", limiter.remove_slots(3));
    let removed = limiter.run(async { limiter.remove_slots(1) }).await;
    println!(
        "of one in use, removed:  {}",
        removed.unwrap_or_default()
    );
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        panic::AssertUnwindSafe,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use futures::{FutureExt, future::join_all};
    use hazards::{HOUR, at_every_poll, some_panic, within};
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_two_leaves_room_for_a_third() {
        let limiter = Limiter::new(2);
        assert!(run(&limiter).await);
        assert_eq!(limiter.slots.available_permits(), 2);
        // One that is in use is acquired first, and forgotten then.
        let slot = limiter.slots.acquire().await;
        slot.expect("it's open").forget();
        assert_eq!(limiter.slots.available_permits(), 1);
        assert_eq!(limiter.remove_slots(5), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_returns_the_slot() {
        at_every_poll(async |cancel| {
            let limiter = Limiter::new(1);
            let export = async {
                yield_now().await;
                sleep(Duration::from_secs(1)).await;
            };
            let busy = limiter.run(sleep(Duration::from_secs(1)));
            let run = async { tokio::join!(busy, limiter.run(export)) };
            cancel.run(run).await;
            assert_eq!(limiter.slots.available_permits(), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_returns_the_slot() {
        for panics in some_panic(9) {
            let limiter = Limiter::new(2);
            let exports = (0..9).map(|export| {
                let panics = panics.contains(&export);
                let export = async move {
                    yield_now().await;
                    assert!(!panics, "export {export} is broken");
                };
                AssertUnwindSafe(limiter.run(export)).catch_unwind()
            });
            let ended = join_all(exports).await;
            for (export, ended) in ended.into_iter().enumerate() {
                assert_eq!(ended.is_err(), panics.contains(&export));
            }
            assert_eq!(limiter.slots.available_permits(), 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_exports_than_slots() {
        let limiter = Limiter::new(2);
        let silent =
            join_all((0..5).map(|_| limiter.run(pending::<()>())));
        let run = async { tokio::join!(silent, limiter.run(ready(7))) };
        let (silent, served) = within(HOUR, run).await;
        assert_eq!(silent, [const { Err(NotDone::TooLong) }; 5]);
        assert_eq!(served, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_first_come_first_served() {
        let limiter = Limiter::new(2);
        let order = std::sync::Mutex::new(Vec::new());
        let exports = (0..5).map(|export| {
            let order = &order;
            limiter.run(async move {
                sleep(Duration::from_secs(1)).await;
                order.lock().expect("no panic").push(export);
            })
        });
        join_all(exports).await;
        assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_slot_until_one_is_added() {
        let limiter = Limiter::new(0);
        assert_eq!(limiter.run(ready(7)).now_or_never(), None);
        assert_eq!(limiter.remove_slots(1), 0);
        limiter.add_slots(1);
        assert_eq!(within(HOUR, limiter.run(ready(7))).await, Ok(7));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_are_never_more_than_two_inside() {
        let shared = Arc::new((Limiter::new(2), AtomicUsize::new(0)));
        let mut exports = JoinSet::new();
        for _ in 0..1000 {
            let shared = Arc::clone(&shared);
            exports.spawn(async move {
                let (limiter, inside) = &*shared;
                let export = async {
                    let number = inside.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    number + 1
                };
                limiter.run(export).await
            });
        }
        let most = exports.join_all().await.into_iter().flatten().max();
        assert!(most <= Some(2), "{most:?}");
    }

    #[tokio::test]
    async fn stop_lets_nobody_in() {
        let limiter = Limiter::new(0);
        let mut waits = std::pin::pin!(limiter.run(ready(1)));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        limiter.slots.close();
        assert_eq!(waits.await, Err(NotDone::Closed));
        assert_eq!(limiter.run(ready(1)).await, Err(NotDone::Closed));
    }
}
