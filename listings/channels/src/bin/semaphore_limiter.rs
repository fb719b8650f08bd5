//! The limiter is a semaphore: its place comes back, however it ends.

// ANCHOR: limiter
use tokio::sync::Semaphore;

/// So many exports at a time, and no more.
struct Limiter {
    places: Semaphore,
}

impl Limiter {
    /// Waits for a place. `None` where the limiter is closed.
    async fn run<T>(
        &self,
        export: impl Future<Output = T>,
    ) -> Option<T> {
        // Dropped at the end, with the result or without.
        let _place = self.places.acquire().await.ok()?;
        Some(export.await)
    }

    fn add_places(&self, more: usize) {
        self.places.add_permits(more);
    }

    /// Takes away those that are free now. Returns how many they were.
    fn remove_places(&self, fewer: usize) -> usize {
        self.places.forget_permits(fewer)
    }
}
// ANCHOR_END: limiter

use tokio::time::{Duration, sleep, timeout};

impl Limiter {
    fn new(places: usize) -> Self {
        Self { places: Semaphore::new(places) }
    }
}

/// Two customers give their exports up after a second. A third one
/// has a minute: is it done?
async fn run(limiter: &Limiter) -> bool {
    let export = |seconds| sleep(Duration::from_secs(seconds));
    let give_up = Duration::from_secs(1);
    let given_up = tokio::join!(
        timeout(give_up, limiter.run(export(10))),
        timeout(give_up, limiter.run(export(10))),
    );
    assert!(given_up.0.is_err() && given_up.1.is_err());
    let minute = Duration::from_secs(60);
    timeout(minute, limiter.run(export(2))).await.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let limiter = Limiter::new(2);
    match run(&limiter).await {
        true => println!("the third export is done"),
        false => println!("nobody exports, and the third one waits"),
    }
    limiter.add_places(2);
    println!("of four places, removed: {}", limiter.remove_places(3));
    let removed = limiter.run(async { limiter.remove_places(1) }).await;
    println!(
        "of one in use, removed:  {}",
        removed.unwrap_or_default()
    );
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_was_given_up_has_left() {
        let limiter = Limiter::new(2);
        assert!(run(&limiter).await);
        assert_eq!(limiter.places.available_permits(), 2);
        // One that is in use is acquired first, and forgotten then.
        let place = limiter.places.acquire().await;
        place.expect("it is open").forget();
        assert_eq!(limiter.places.available_permits(), 1);
        assert_eq!(limiter.remove_places(5), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn on_several_threads_no_more_than_two_are_in() {
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
    async fn a_closed_one_lets_nobody_in() {
        let limiter = Limiter::new(2);
        limiter.places.close();
        assert_eq!(limiter.run(async { 1 }).await, None);
    }
}
