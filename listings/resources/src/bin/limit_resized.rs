//! A limit that changes while its permits are out.

// ANCHOR: resize
use std::sync::Arc;

use tokio::sync::Semaphore;

/// How many webhooks are sent at a time.
struct Limit {
    permits: Arc<Semaphore>,
    most: usize,
}

impl Limit {
    /// Takes effect at once where it grows. Where it shrinks, it waits
    /// in line for permits that are out, and keeps them.
    ///
    /// Cancel safe: dropped while it waits, nothing has changed.
    async fn resize(&mut self, most: u16) {
        let most = usize::from(most);
        if most > self.most {
            self.permits.add_permits(most - self.most);
        } else {
            let surplus = (self.most - most) as u32;
            let surplus = self.permits.acquire_many(surplus).await;
            surplus.expect("it is never closed").forget();
        }
        self.most = most;
    }
}
// ANCHOR_END: resize

use tokio::time::{Duration, Instant, sleep};

/// Four permits, of which three are out for a second.
async fn shrink_to_two() {
    let permits = Arc::new(Semaphore::new(4));
    let mut limit = Limit { permits: Arc::clone(&permits), most: 4 };
    let start = Instant::now();
    let sending = async {
        let out = permits.acquire_many(3).await;
        sleep(Duration::from_secs(1)).await;
        drop(out);
    };
    let resizing = async {
        // Only what is not out: one of the two.
        let forgotten = permits.forget_permits(2);
        println!("forget_permits(2) took {forgotten}");
        permits.add_permits(forgotten);
        limit.resize(2).await;
        println!("resized after {} s", start.elapsed().as_secs());
    };
    tokio::join!(biased; sending, resizing);
    println!("permits: {}", permits.available_permits());
    limit.resize(8).await;
    println!("permits: {}", permits.available_permits());
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    shrink_to_two().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_out_is_not_forgotten() {
        let permits = Semaphore::new(4);
        let out = permits.acquire_many(3).await;
        assert_eq!(permits.forget_permits(2), 1);
        drop(out);
        assert_eq!(permits.available_permits(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn dropped_while_it_waits_it_changes_nothing() {
        let permits = Arc::new(Semaphore::new(4));
        let mut limit =
            Limit { permits: Arc::clone(&permits), most: 4 };
        let out = permits.acquire_many(3).await;
        let mut resize = Box::pin(limit.resize(2));
        assert!(futures::poll!(&mut resize).is_pending());
        drop(resize);
        drop(out);
        assert_eq!(limit.most, 4);
        assert_eq!(permits.available_permits(), 4);
        limit.resize(2).await;
        assert_eq!(permits.available_permits(), 2);
    }
}
