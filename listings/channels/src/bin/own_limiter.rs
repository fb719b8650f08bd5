//! Wrong: a hand-written limiter. A dropped export keeps its slot.

// ANCHOR: wrong
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Limits how many exports run at the same time.
struct Limiter {
    free: AtomicUsize,
    released: Notify,
}

impl Limiter {
    async fn run<T>(&self, export: impl Future<Output = T>) -> T {
        // Wrong: check, then act. Another thread can check between the
        // two, and then both get a slot.
        while self.free.load(Ordering::SeqCst) == 0 {
            self.released.notified().await;
        }
        self.free.fetch_sub(1, Ordering::SeqCst);
        let exported = export.await;
        // Wrong: a dropped export never gets here.
        self.free.fetch_add(1, Ordering::SeqCst);
        self.released.notify_one();
        exported
    }
}
// ANCHOR_END: wrong

use tokio::time::{Duration, sleep, timeout};

impl Limiter {
    fn new(places: usize) -> Self {
        Self { free: places.into(), released: Notify::new() }
    }
}

/// Two customers give up after a second. A third one has a minute: is
/// its export done?
async fn run() -> bool {
    let limiter = Limiter::new(2);
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
    match run().await {
        true => println!("the third export is done"),
        false => println!("nobody exports, and the third one waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_two_leaves_room_for_a_third() {
        assert!(!run().await);
    }
}
