//! A token bucket: four calls a second on average, for all callers.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

// ANCHOR: bucket
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

/// Each call uses up a token, and a timer adds tokens. Create one
/// bucket for each service, and share it between all callers.
struct TokenBucket {
    tokens: Arc<Semaphore>,
    _refill: AbortOnDropHandle<()>,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens; each `period` adds a token.
    /// Panics outside a runtime, or if `burst` or `period` is zero.
    fn new(burst: usize, period: Duration) -> Self {
        assert!(burst > 0, "a bucket without room for a token");
        let tokens = Arc::new(Semaphore::new(burst));
        let filled = Arc::clone(&tokens);
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let refill = tokio::spawn(async move {
            loop {
                ticks.tick().await;
                if filled.available_permits() < burst {
                    filled.add_permits(1);
                }
            }
        });
        Self { tokens, _refill: AbortOnDropHandle::new(refill) }
    }

    /// Waits for a token, in the order of the calls, and uses it up. If
    /// this future is dropped while it waits, no token is used up.
    async fn take(&self) {
        let token = self.tokens.acquire().await;
        token.expect("it is never closed").forget();
    }
}
// ANCHOR_END: bucket

use tokio::{task::JoinSet, time::sleep};

/// Eight callers at the same time, and two more three seconds later.
async fn call_all(bucket: Arc<TokenBucket>) -> Vec<(u32, Duration)> {
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for call in 1..=10 {
        let bucket = Arc::clone(&bucket);
        calls.spawn(async move {
            if call > 8 {
                sleep(Duration::from_secs(3)).await;
            }
            bucket.take().await;
            (call, start.elapsed())
        });
    }
    calls.join_all().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let period = Duration::from_millis(250);
    let bucket = Arc::new(TokenBucket::new(3, period));
    let mut calls = call_all(bucket).await;
    calls.sort();
    for (call, at) in calls {
        println!("{:>4} ms  call {call}", at.as_millis());
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(250);

    #[tokio::test(start_paused = true)]
    async fn overload_of_callers_waits_for_its_tokens() {
        let bucket = Arc::new(TokenBucket::new(3, PERIOD));
        let mut calls = call_all(bucket).await;
        calls.sort();
        let millis: Vec<_> =
            calls.iter().map(|(_, at)| at.as_millis()).collect();
        let expected = [0, 0, 0, 250, 500, 750, 1000, 1250, 3000, 3000];
        assert_eq!(millis, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_long_pause_saves_no_more_than_the_burst() {
        let bucket = TokenBucket::new(3, PERIOD);
        sleep(HOUR).await;
        assert_eq!(bucket.tokens.available_permits(), 3);
        // The timer's thread was busy for ten seconds.
        for _ in 0..3 {
            bucket.take().await;
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        let start = Instant::now();
        for _ in 0..3 {
            bucket.take().await;
        }
        assert!(start.elapsed() >= PERIOD, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_uses_up_no_token() {
        at_every_poll(async |cancel| {
            let bucket = TokenBucket::new(1, PERIOD);
            bucket.take().await;
            let taken = cancel.run(bucket.take()).await;
            let start = Instant::now();
            within(HOUR, bucket.take()).await;
            let waited = start.elapsed();
            assert!(waited <= PERIOD, "{waited:?} {taken:?}");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_the_timer_ends_with_the_bucket() {
        let bucket = TokenBucket::new(1, PERIOD);
        sleep(PERIOD).await;
        drop(bucket);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_burst() {
        let none = std::panic::catch_unwind(|| {
            TokenBucket::new(0, PERIOD).tokens.available_permits()
        });
        assert!(none.is_err());
        let bucket = TokenBucket::new(1, Duration::from_nanos(1));
        within(HOUR, async {
            for _ in 0..10 {
                bucket.take().await;
            }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_rate() {
        let period = Duration::from_millis(5);
        let bucket = Arc::new(TokenBucket::new(2, period));
        let start = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..12 {
            let bucket = Arc::clone(&bucket);
            calls.spawn(async move { bucket.take().await });
        }
        calls.join_all().await;
        assert!(start.elapsed() >= 10 * period);
    }
}
