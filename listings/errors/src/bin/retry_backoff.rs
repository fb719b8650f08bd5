//! A retry loop: backoff, jitter, and limits for the tries.

// ANCHOR: retry
use tokio::time::{Duration, error::Elapsed, sleep, timeout};

struct Retry {
    /// The number of tries; at least one.
    tries: u32,
    /// How long each try may take.
    limit: Duration,
    /// The bound of the first pause. It doubles after each try.
    first_pause: Duration,
    /// The bound never exceeds this.
    longest_pause: Duration,
}

impl Retry {
    /// Retries until a call succeeds or fails permanently, or no tries
    /// are left, and returns the last result. A try that takes too
    /// long is dropped, so the call must be safe to repeat.
    async fn run<T, E: From<Elapsed>, F>(
        &self,
        random: &mut fastrand::Rng,
        mut call: impl FnMut() -> F,
        is_transient: impl Fn(&E) -> bool,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut bound = self.first_pause.min(self.longest_pause);
        for left in (0..self.tries.max(1)).rev() {
            let ended = timeout(self.limit, call()).await;
            match ended.unwrap_or_else(|late| Err(late.into())) {
                Err(error) if left > 0 && is_transient(&error) => {}
                ended => return ended,
            }
            // Jitter: clients that failed together retry at other times.
            sleep(bound.mul_f64(random.f64())).await;
            bound = bound.saturating_mul(2).min(self.longest_pause);
        }
        unreachable!("the last try returns")
    }
}
// ANCHOR_END: retry

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refused {
    Busy,
    Silent,
    Forbidden,
}

impl From<Elapsed> for Refused {
    fn from(_elapsed: Elapsed) -> Self {
        Self::Silent
    }
}

const RETRY: Retry = Retry {
    tries: 5,
    limit: Duration::from_secs(1),
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(1),
};

/// A server that rejects this many calls. Returns the number of tries.
async fn run(times: u32, refuses: Refused) -> Result<u32, Refused> {
    let tries = AtomicU32::new(0);
    let call = async || {
        let tries = tries.fetch_add(1, Ordering::Relaxed) + 1;
        match refuses {
            _ if tries > times => Ok(tries),
            Refused::Silent => std::future::pending().await,
            refuses => Err(refuses),
        }
    };
    // A seed, so that this prints the same each time. A service uses
    // `fastrand::Rng::new()`: each process has its own then.
    let mut random = fastrand::Rng::with_seed(7);
    let transient = |refused: &Refused| *refused != Refused::Forbidden;
    RETRY.run(&mut random, call, transient).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (times, refuses) in [
        (0, Refused::Busy),
        (3, Refused::Busy),
        (9, Refused::Busy),
        (1, Refused::Silent),
        (1, Refused::Forbidden),
    ] {
        let start = Instant::now();
        let outcome = run(times, refuses).await;
        let took = start.elapsed().as_millis();
        println!(
            "{refuses:?} {times} times: {outcome:?} after {took} ms"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_is_retried_until_it_passes_or_is_for_good() {
        assert_eq!(run(0, Refused::Busy).await, Ok(1));
        assert_eq!(run(4, Refused::Busy).await, Ok(5));
        assert_eq!(run(5, Refused::Busy).await, Err(Refused::Busy));
        let start = Instant::now();
        let forbidden = run(1, Refused::Forbidden).await;
        assert_eq!(forbidden, Err(Refused::Forbidden));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_each_try_at_its_limit() {
        assert_eq!(run(4, Refused::Silent).await, Ok(5));
        let silent = run(99, Refused::Silent);
        let limit = Duration::from_secs(5 + 2);
        let ended = hazards::within(limit, silent).await;
        assert_eq!(ended, Err(Refused::Silent));
    }

    /// When each try began.
    async fn begun(retry: Retry, seed: u64) -> Vec<Instant> {
        let begun = std::sync::Mutex::new(Vec::new());
        let mut random = fastrand::Rng::with_seed(seed);
        let call = async || {
            begun.lock().expect("no panic").push(Instant::now());
            Err::<(), _>(Refused::Busy)
        };
        let ended = retry.run(&mut random, call, |_| true).await;
        assert_eq!(ended, Err(Refused::Busy));
        begun.into_inner().expect("no panic")
    }

    #[tokio::test(start_paused = true)]
    async fn clock_no_pause_is_longer_than_its_bound() {
        for seed in 0..100 {
            let begun = begun(RETRY, seed).await;
            let pauses = begun.windows(2).map(|it| it[1] - it[0]);
            for (pause, bound) in pauses.zip([100, 200, 400, 800]) {
                let bound = Duration::from_millis(bound + 1);
                assert!(pause <= bound, "seed {seed}: {pause:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_tries_and_pauses_the_wrong_way_round() {
        let none = Retry { tries: 0, ..RETRY };
        assert_eq!(begun(none, 1).await.len(), 1);
        let first_pause = Duration::from_secs(30);
        let second = Duration::from_millis(1001);
        let begun_at = begun(Retry { first_pause, ..RETRY }, 1).await;
        let mut pauses = begun_at.windows(2).map(|it| it[1] - it[0]);
        assert!(pauses.all(|pause| pause <= second));
        let no_pause = Duration::ZERO;
        let first_pause = Duration::MAX;
        let longest_pause = no_pause;
        let retry = Retry { first_pause, longest_pause, ..RETRY };
        assert_eq!(begun(retry, 1).await.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_spread_over_time() {
        let clients = (0..100).map(|seed| begun(RETRY, seed));
        let begun = futures::future::join_all(clients).await;
        let mut counts = std::collections::BTreeMap::new();
        // All first tries are at the same time.
        for tries in begun.iter().flat_map(|tries| &tries[1..]) {
            *counts.entry(tries).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count < 10));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_tries() {
        hazards::at_every_poll(async |cancel| {
            let tries = AtomicU32::new(0);
            let call = async || {
                tries.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Err::<(), _>(Refused::Busy)
            };
            let mut random = fastrand::Rng::with_seed(7);
            cancel.run(RETRY.run(&mut random, call, |_| true)).await;
            let begun = tries.load(Ordering::Relaxed);
            sleep(hazards::HOUR).await;
            assert_eq!(tries.load(Ordering::Relaxed), begun);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_a_handler_that_retries() {
        struct Client(AtomicU32);
        async fn get(client: &Client) -> Result<u32, Refused> {
            match client.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Refused::Busy),
                tries => Ok(tries),
            }
        }
        let handler = tokio::spawn(async {
            let client = Client(AtomicU32::new(0));
            let mut random = fastrand::Rng::new();
            RETRY.run(&mut random, || get(&client), |_| true).await
        });
        assert_eq!(handler.await.expect("no panic"), Ok(1));
    }
}
