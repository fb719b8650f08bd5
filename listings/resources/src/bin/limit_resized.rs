//! Change a limit while its permits are in use.

// ANCHOR: resize
use std::sync::Arc;

use tokio::sync::{AcquireError, Semaphore};

/// Limits how many webhooks are sent at a time.
struct Limit {
    permits: Arc<Semaphore>,
    most: usize,
}

impl Limit {
    /// Raises the limit immediately. To lower it, this waits in the
    /// queue for permits and keeps them; later callers wait behind it.
    /// If `most` is 0, everything stops until the next call.
    ///
    /// Cancel safe: if it's dropped while it waits, nothing changes.
    async fn resize(&mut self, most: u16) -> Result<(), AcquireError> {
        let most = usize::from(most);
        if most > self.most {
            self.permits.add_permits(most - self.most);
        } else {
            let surplus = (self.most - most) as u32;
            self.permits.acquire_many(surplus).await?.forget();
        }
        self.most = most;
        Ok(())
    }
}
// ANCHOR_END: resize

use tokio::time::{Duration, Instant, sleep};

/// Four permits, of which three are out for a second.
async fn shrink_to_two() -> Result<(), AcquireError> {
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
        let resized = limit.resize(2).await;
        println!("resized after {} s", start.elapsed().as_secs());
        resized
    };
    tokio::join!(biased; sending, resizing).1?;
    println!("permits: {}", permits.available_permits());
    limit.resize(8).await?;
    println!("permits: {}", permits.available_permits());
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), AcquireError> {
    shrink_to_two().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    fn limit(most: usize) -> Limit {
        Limit { permits: Arc::new(Semaphore::new(most)), most }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_what_is_out_is_not_forgotten() {
        let permits = Semaphore::new(4);
        let out = permits.acquire_many(3).await;
        assert_eq!(permits.forget_permits(2), 1);
        drop(out);
        assert_eq!(permits.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_changes_all_or_nothing() {
        at_every_poll(async |cancel| {
            let mut limit = limit(4);
            let permits = Arc::clone(&limit.permits);
            let out = permits.acquire_many(3).await;
            let release = async { drop(out) };
            let resize = cancel.run(limit.resize(2));
            let (done, ()) = tokio::join!(biased; resize, release);
            let most = if done.is_some() { 2 } else { 4 };
            assert_eq!(limit.most, most);
            assert_eq!(permits.available_permits(), most);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_limit() {
        let mut limit = limit(0);
        for most in [0, 1, u16::MAX, 0, 3] {
            let resized = within(HOUR, limit.resize(most)).await;
            assert!(resized.is_ok());
            let permits = limit.permits.available_permits();
            assert_eq!(permits, usize::from(most));
        }
    }

    #[tokio::test]
    async fn again_changes_nothing() {
        let mut limit = limit(4);
        for _ in 0..2 {
            assert!(limit.resize(2).await.is_ok());
            assert_eq!(limit.permits.available_permits(), 2);
        }
    }

    #[tokio::test]
    async fn stop_is_an_error() {
        let mut limit = limit(4);
        limit.permits.close();
        assert!(limit.resize(2).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_stay_below_the_limit() {
        let mut limit = limit(8);
        let (inside, mut tasks) =
            (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let most = Arc::new(AtomicUsize::new(8));
        for _ in 0..8 {
            let permits = Arc::clone(&limit.permits);
            let inside = Arc::clone(&inside);
            let most = Arc::clone(&most);
            tasks.spawn(async move {
                while let Ok(_permit) = permits.acquire().await {
                    let now = 1 + inside.fetch_add(1, SeqCst);
                    assert!(now <= most.load(SeqCst));
                    yield_now().await;
                    inside.fetch_sub(1, SeqCst);
                }
            });
        }
        for size in [4, 2, 1, 2, 8, 3] {
            // The larger one holds until the call has returned.
            most.fetch_max(size.into(), SeqCst);
            assert!(limit.resize(size).await.is_ok());
            most.store(size.into(), SeqCst);
            yield_now().await;
        }
        limit.permits.close();
        tasks.join_all().await;
    }
}
