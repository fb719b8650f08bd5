//! A token bucket without a timer task: fair, shared by all callers,
//! and safe to cancel.

// ANCHOR: rate
use std::sync::Arc;

use tokio::{
    sync::Mutex,
    time::{Duration, Instant, sleep_until},
};

/// Allows `burst` calls immediately, and one more every `period`.
/// Clones share the bucket.
#[derive(Clone)]
struct Rate {
    /// When the bucket will be full again.
    full: Arc<Mutex<Instant>>,
    period: Duration,
    /// A call may start if the bucket will be full within this time.
    slack: Duration,
}

impl Rate {
    /// A burst of zero counts as one.
    fn new(burst: u32, period: Duration) -> Self {
        let full = Arc::new(Mutex::new(Instant::now()));
        let slack = period * burst.saturating_sub(1);
        Self { full, period, slack }
    }

    /// Waits for a token, in the order of the calls, and uses it up. If
    /// this future is dropped while it waits, no token is used up.
    /// While this future isn't polled, the callers behind it wait, too.
    async fn ready(&self) {
        // Tokio's mutex is a fair queue.
        let mut full = self.full.lock().await;
        let now = Instant::now();
        let wait = full.saturating_duration_since(now + self.slack);
        if !wait.is_zero() {
            sleep_until(now + wait).await;
        }
        *full = Instant::now().max(*full) + self.period;
    }
}
// ANCHOR_END: rate

use tokio::{task::JoinSet, time::timeout};

/// Seven callers at the same time, one of which gives up after 300 ms.
async fn look_up_all(rate: &Rate) -> Vec<(Duration, String)> {
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for call in 1..=7 {
        let patience = match call {
            5 => Duration::from_millis(300),
            _ => Duration::from_secs(10),
        };
        let rate = rate.clone();
        calls.spawn(async move {
            let ready = timeout(patience, rate.ready()).await;
            let what = match ready {
                Ok(()) => format!("call {call}"),
                Err(_) => format!("call {call} gave up"),
            };
            (start.elapsed(), what)
        });
    }
    calls.join_all().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let rate = Rate::new(3, Duration::from_millis(250));
    let mut calls = look_up_all(&rate).await;
    calls.sort();
    for (at, what) in calls {
        println!("{:>4} ms  {what}", at.as_millis());
    }
}

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, within};
    use tokio::time::sleep;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(250);

    /// Starts a hundred calls, each of which takes 100 ms, and counts
    /// those that start in the first second.
    async fn first_second(rate: Rate) -> usize {
        let start = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let rate = rate.clone();
            calls.spawn(async move {
                rate.ready().await;
                let started = start.elapsed();
                sleep(Duration::from_millis(100)).await;
                started
            });
        }
        let started = calls.join_all().await;
        let second = Duration::from_secs(1);
        started.iter().filter(|&&at| at < second).count()
    }

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_to_four_calls_a_second() {
        assert_eq!(first_second(Rate::new(1, PERIOD)).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_may_add_the_burst_to_the_rate() {
        assert_eq!(first_second(Rate::new(4, PERIOD)).await, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_a_moment_is_the_burst() {
        let rate = Rate::new(5, Duration::from_millis(200));
        rate.ready().await;
        sleep(Duration::from_millis(950)).await;
        let moment = sleep(Duration::from_millis(150));
        tokio::pin!(moment);
        let mut calls = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut moment => break,
                () = rate.ready() => calls += 1,
            }
        }
        assert_eq!(calls, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_uses_up_no_token() {
        at_every_poll(async |cancel| {
            let rate = Rate::new(1, PERIOD);
            rate.ready().await;
            let start = Instant::now();
            let used = cancel.run(rate.ready()).await.is_some();
            within(2 * PERIOD, rate.ready()).await;
            let expected = PERIOD * if used { 2 } else { 1 };
            assert_eq!(start.elapsed(), expected);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_fills_the_bucket_up_to_the_burst() {
        let rate = Rate::new(3, PERIOD);
        sleep(hazards::HOUR).await;
        let start = Instant::now();
        for at in [0, 0, 0, 1, 2] {
            rate.ready().await;
            assert_eq!(start.elapsed(), at * PERIOD);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_callers_keep_to_the_rate() {
        let rate = Rate::new(1, PERIOD);
        let start = Instant::now();
        for _ in 0..3 {
            rate.ready().await;
            sleep(Duration::from_millis(600)).await;
        }
        assert_eq!(start.elapsed(), Duration::from_millis(1800));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_zero() {
        let rate = Rate::new(0, PERIOD);
        let start = Instant::now();
        rate.ready().await;
        rate.ready().await;
        assert_eq!(start.elapsed(), PERIOD);
        let rate = Rate::new(u32::MAX, Duration::ZERO);
        within(PERIOD, rate.ready()).await;
    }

    /// Tokio's timers have a resolution of 1 ms.
    #[tokio::test(start_paused = true)]
    async fn clock_rates_above_a_thousand_need_a_burst() {
        let period = Duration::from_micros(100);
        for (burst, calls) in [(1, 0..=1100), (50, 9000..=10_100)] {
            let rate = Rate::new(burst, period);
            let start = Instant::now();
            let mut count = 0;
            while start.elapsed() < Duration::from_secs(1) {
                rate.ready().await;
                count += 1;
            }
            assert!(calls.contains(&count), "{burst}: {count}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_rate() {
        let rate = Rate::new(10, Duration::from_millis(5));
        let start = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..30 {
            let rate = rate.clone();
            calls.spawn(async move { rate.ready().await });
        }
        calls.join_all().await;
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}
