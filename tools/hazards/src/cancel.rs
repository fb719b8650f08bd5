//! Cancellation: a future is dropped after any number of polls.

use crate::is_paused;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::task::unconstrained;
use tokio::time::sleep;

/// A future that is still pending after so many polls never completes.
const TOO_OFTEN: usize = 1_000;

/// Nor does a future that nothing wakes for so long. A paused clock is there immediately.
const TOO_LONG: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// After how many polls a future is dropped.
#[derive(Debug)]
pub struct Cancel {
    after: usize,
    completed: Cell<bool>,
    was_run: Cell<bool>,
}

impl Cancel {
    /// Polls a future [`Cancel::polls`] times, and drops it if it's still pending then. A dropped future has no output.
    ///
    /// # Panics
    ///
    /// The clock is paused, and nothing wakes the future before the next poll.
    pub async fn run<F: Future>(&self, future: F) -> Option<F::Output> {
        self.was_run.set(true);
        let output = {
            let mut future = pin!(future);
            let mut polls = 0;
            // Without a budget: the future's polls are as they would be without it.
            let mut too_long = is_paused().then(|| Box::pin(unconstrained(sleep(TOO_LONG))));
            poll_fn(|context| {
                if polls == self.after {
                    return Poll::Ready(None);
                }
                let timer = too_long.as_mut().map(|timer| timer.as_mut().poll(context));
                let is_over = timer.is_some_and(|timer| timer.is_ready());
                assert!(
                    !is_over,
                    "nothing wakes the future for a year after poll {polls}"
                );
                polls += 1;
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    // Dropped now, and not when it would be polled again: what woke it has happened by then.
                    Poll::Pending if polls == self.after => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        self.completed.set(output.is_some());
        output
    }

    /// After how many polls the future is dropped.
    pub fn polls(&self) -> usize {
        self.after
    }
}

/// Runs `test` repeatedly: the future that it hands to [`Cancel::run`] is dropped before its first poll, then after one poll,
/// after two, and so on, until it completes. Each time, `test` sets everything up, runs the future, and checks what must
/// hold afterwards.
///
/// # Panics
///
/// `test` panics, runs no future, or its future never completes.
pub async fn at_every_poll(mut test: impl AsyncFnMut(&Cancel)) {
    for after in 0..TOO_OFTEN {
        let cancel = Cancel {
            after,
            completed: Cell::new(false),
            was_run: Cell::new(false),
        };
        test(&cancel).await;
        assert!(cancel.was_run.get(), "the test called `run` with no future");
        if cancel.completed.get() {
            return;
        }
    }
    panic!("the future isn't complete after {TOO_OFTEN} polls");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::pending;
    use std::sync::Arc;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    #[tokio::test(start_paused = true)]
    async fn a_future_is_dropped_after_each_poll_until_it_completes() {
        let seen = RefCell::new(Vec::new());
        at_every_poll(async |cancel| {
            let output = cancel
                .run(async {
                    yield_now().await;
                    yield_now().await;
                    "done"
                })
                .await;
            seen.borrow_mut().push((cancel.polls(), output));
        })
        .await;
        let expected = [(0, None), (1, None), (2, None), (3, Some("done"))];
        assert_eq!(seen.into_inner(), expected);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the permit is lost")]
    async fn a_permit_that_a_cancellation_loses_is_found() {
        at_every_poll(async |cancel| {
            let places = Arc::new(Semaphore::new(1));
            cancel
                .run(async {
                    places.acquire().await.expect("it is never closed").forget();
                    yield_now().await;
                    places.add_permits(1);
                })
                .await;
            assert_eq!(places.available_permits(), 1, "the permit is lost");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "nothing wakes the future for a year after poll 2")]
    async fn a_future_that_nothing_wakes_is_found() {
        at_every_poll(async |cancel| {
            let hangs = async {
                yield_now().await;
                pending::<()>().await;
            };
            cancel.run(hangs).await;
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(expected = "isn't complete after 1000 polls")]
    async fn a_future_that_always_wakes_itself_is_found() {
        at_every_poll(async |cancel| {
            let spins = async {
                loop {
                    yield_now().await;
                }
            };
            cancel
                .run::<std::pin::Pin<Box<dyn Future<Output = ()>>>>(Box::pin(spins))
                .await;
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(expected = "with no future")]
    async fn a_test_that_cancels_nothing_is_found() {
        at_every_poll(async |_| {}).await;
    }
}
