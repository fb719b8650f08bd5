//! After some failures in a row, stop calling the peer for a while.

// ANCHOR: state
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// Stops calls to a peer that is down.
struct Breaker {
    /// This many failures in a row open it.
    limit: u32,
    /// How long it stays open. Then one call is let through.
    pause: Duration,
    /// A call that is dropped after this long counts as a failure. It
    /// must be shorter than the callers' timeouts.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// Changes when failures open it: older calls don't count then.
    round: u64,
}

/// Longer pauses than this could overflow an `Instant`.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl State {
    fn open(&mut self, pause: Duration) {
        self.open_until = Some(Instant::now() + pause.min(YEAR));
        self.round += 1;
    }
}
// ANCHOR_END: state

// ANCHOR: breaker
impl Breaker {
    /// Calls the peer, or returns `None` immediately while it's open.
    async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        let mut attempt = self.start()?;
        let ended = call.await;
        attempt.succeeded = Some(ended.is_ok());
        Some(ended)
    }

    fn start(&self) -> Option<Attempt<'_>> {
        let (mut state, started) = (self.lock(), Instant::now());
        if let Some(until) = state.open_until {
            if started < until {
                return None;
            }
            // One call is the trial, of the same round: its answer
            // counts, even if it takes longer than a pause.
            state.open_until = Some(started + self.pause.min(YEAR));
        }
        let round = state.round;
        Some(Attempt { breaker: self, round, started, succeeded: None })
    }
}
// ANCHOR_END: breaker

// ANCHOR: attempt
/// A call in progress. It's counted when it's dropped, so that a call
/// that a caller's deadline drops is counted, too.
struct Attempt<'a> {
    breaker: &'a Breaker,
    round: u64,
    started: Instant,
    succeeded: Option<bool>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.breaker.lock();
        let slow = self.started.elapsed() >= self.breaker.patience;
        match self.succeeded {
            // From before it opened: says nothing about the peer now.
            _ if state.round != self.round => {}
            Some(true) => {
                (state.failures, state.open_until) = (0, None)
            }
            None if !slow => {} // An impatient caller, or a panic.
            Some(false) | None => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= self.breaker.limit {
                    state.open(self.breaker.pause);
                }
            }
        }
    }
}
// ANCHOR_END: attempt

impl Breaker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A peer that is down for the first ten seconds. A call takes half a
/// second to fail.
async fn peer(start: Instant) -> Result<(), ()> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    match start.elapsed() < Duration::from_secs(10) {
        true => Err(()),
        false => Ok(()),
    }
}

fn breaker(limit: u32) -> Breaker {
    Breaker {
        limit,
        pause: Duration::from_secs(4),
        patience: Duration::from_millis(500),
        state: Mutex::default(),
    }
}

/// Calls once a second, for fifteen seconds: failed, spared, answered.
async fn run() -> (u32, u32, u32) {
    let breaker = breaker(3);
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let (mut failed, mut spared, mut answered) = (0, 0, 0);
    for _ in 0..15 {
        ticks.tick().await;
        match breaker.call(peer(start)).await {
            Some(Ok(())) => answered += 1,
            Some(Err(())) => failed += 1,
            None => spared += 1,
        }
    }
    (failed, spared, answered)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (failed, spared, answered) = run().await;
    println!("failed:   {failed}");
    println!("spared:   {spared}");
    println!("answered: {answered}");
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use tokio::time::{sleep, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn ok() -> Result<(), ()> {
        Ok(())
    }

    async fn fail() -> Result<(), ()> {
        Err(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_in_a_row_opens_it_for_a_while() {
        let (failed, spared, answered) = run().await;
        assert_eq!(failed + spared + answered, 15);
        assert_eq!(failed, 3 + 1);
        assert!(answered > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_opens_it_though_the_callers_give_up() {
        let breaker = breaker(3);
        let (mut late, mut spared) = (0, 0);
        for _ in 0..100 {
            let hangs = breaker.call(pending::<Result<(), ()>>());
            match timeout(SECOND, hangs).await {
                Err(_elapsed) => late += 1,
                Ok(ended) => {
                    assert!(ended.is_none());
                    spared += 1;
                }
            }
        }
        assert_eq!((late, spared), (3, 97));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_does_not_open_it_if_callers_leave_before_patience()
    {
        let breaker = Breaker { patience: SECOND * 2, ..breaker(3) };
        for _ in 0..10 {
            let hangs = breaker.call(pending::<Result<(), ()>>());
            assert!(timeout(SECOND, hangs).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_trials_do_not_count_once_another_one_has_failed() {
        let breaker = Arc::new(breaker(1));
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        sleep(SECOND * 4).await;
        let first = Arc::clone(&breaker);
        let first = tokio::spawn(async move {
            let late = async {
                sleep(SECOND * 7).await;
                ok().await
            };
            first.call(late).await
        });
        sleep(SECOND * 4).await;
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        assert_eq!(first.await.expect("no panic"), Some(Ok(())));
        assert_eq!(breaker.call(ok()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_from_before_it_opened_do_not_close_it() {
        let breaker = Arc::new(breaker(1));
        let old = Arc::clone(&breaker);
        let old = tokio::spawn(async move {
            let late = async {
                sleep(SECOND).await;
                ok().await
            };
            old.call(late).await
        });
        tokio::task::yield_now().await;
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        let answered = old.await.expect("no panic");
        assert_eq!(answered, Some(Ok(())));
        assert_eq!(breaker.call(ok()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_failures_from_before_it_opened_do_not_keep_it_open() {
        let breaker = Arc::new(breaker(1));
        let old = Arc::clone(&breaker);
        let old = tokio::spawn(async move {
            let late = async {
                sleep(SECOND * 5).await;
                fail().await
            };
            old.call(late).await
        });
        tokio::task::yield_now().await;
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        sleep(SECOND * 4).await;
        assert_eq!(breaker.call(ok()).await, Some(Ok(())));
        assert_eq!(old.await.expect("no panic"), Some(Err(())));
        assert_eq!(breaker.call(ok()).await, Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_makes_one_trial_at_a_time() {
        let breaker = breaker(1);
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        sleep(SECOND * 4).await;
        let trial = breaker.start();
        assert!(trial.is_some());
        for _ in 0..10 {
            assert_eq!(breaker.call(ok()).await, None);
        }
    }

    /// A call takes five seconds, the pause is four, and there is a
    /// call every second.
    #[tokio::test(start_paused = true)]
    async fn slow_trials_close_it_under_constant_traffic() {
        let breaker = Arc::new(breaker(1));
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..100 {
            sleep(SECOND).await;
            let breaker = Arc::clone(&breaker);
            calls.spawn(async move {
                let slow = async {
                    sleep(SECOND * 5).await;
                    ok().await
                };
                breaker.call(slow).await
            });
        }
        let ended = calls.join_all().await;
        let spared = ended.iter().filter(|it| it.is_none()).count();
        assert!(spared < 10, "{spared}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_trials_that_fail_keep_it_open() {
        let breaker = Arc::new(breaker(1));
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        sleep(SECOND * 4).await;
        let slow = async {
            sleep(SECOND * 5).await;
            fail().await
        };
        assert_eq!(breaker.call(slow).await, Some(Err(())));
        assert_eq!(breaker.call(ok()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_by_an_impatient_caller_counts_as_nothing() {
        let breaker = breaker(1);
        hazards::at_every_poll(async |cancel| {
            let call = async {
                tokio::task::yield_now().await;
                ok().await
            };
            cancel.run(breaker.call(call)).await;
            assert_eq!(breaker.call(ok()).await, Some(Ok(())));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_trial_is_followed_by_another_pause() {
        let breaker = breaker(1);
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        sleep(SECOND * 4).await;
        let hangs = breaker.call(pending::<Result<(), ()>>());
        assert!(timeout(SECOND, hangs).await.is_err());
        assert_eq!(breaker.call(ok()).await, None);
        sleep(SECOND * 4).await;
        assert_eq!(breaker.call(ok()).await, Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_call_locks_nobody_out() {
        let breaker = Arc::new(breaker(1));
        let other = Arc::clone(&breaker);
        let panics = tokio::spawn(async move {
            let call = async { panic!("no number") };
            other.call::<(), ()>(call).await
        });
        assert!(panics.await.is_err());
        assert_eq!(breaker.call(ok()).await, Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_limit_of_zero_opens_at_the_first_failure() {
        let breaker = breaker(0);
        assert_eq!(breaker.call(ok()).await, Some(Ok(())));
        assert_eq!(breaker.call(fail()).await, Some(Err(())));
        assert_eq!(breaker.call(ok()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_endless_pause() {
        let breaker = Breaker { pause: Duration::MAX, ..breaker(1) };
        for _ in 0..2 {
            assert_eq!(breaker.call(fail()).await, Some(Err(())));
            assert_eq!(breaker.call(ok()).await, None);
            tokio::time::advance(2 * YEAR).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_open_it_once() {
        let breaker = Arc::new(breaker(10));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let breaker = Arc::clone(&breaker);
            tasks.spawn(async move { breaker.call(fail()).await });
        }
        let failed = tasks.join_all().await.into_iter().flatten();
        let failed = failed.count();
        assert!(failed >= 10);
        assert_eq!(breaker.lock().round, 1);
        assert_eq!(breaker.call(ok()).await, None);
    }
}
