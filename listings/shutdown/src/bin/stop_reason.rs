//! Cancel a token with a reason: store the reason first, then cancel.

// ANCHOR: stop
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reason {
    Signal,
    DatabaseLost,
}

/// A cancellation token with a reason. All clones share both.
#[derive(Clone, Default)]
struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
}

impl Stop {
    /// Cancels the token. If it's called again, the first reason stays.
    fn stop(&self, reason: Reason) {
        // Set it before `cancel`, so that every canceled task finds it.
        _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Waits for the cancellation, and returns its reason. Cancel safe.
    async fn stopped(&self) -> Reason {
        self.token.cancelled().await;
        *self.reason.get().expect("only `stop` cancels the token")
    }
}
// ANCHOR_END: stop

use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let stop = Stop::default();
    let worker = stop.clone();
    let worker = tokio::spawn(async move {
        println!(
            "worker: stops because of {:?}",
            worker.stopped().await
        );
    });
    let database = stop.clone();
    let database = tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        database.stop(Reason::DatabaseLost);
    });
    _ = tokio::join!(worker, database);
    stop.stop(Reason::Signal);
    let code = match stop.stopped().await {
        Reason::Signal => 0,
        Reason::DatabaseLost => 1,
    };
    println!("main: exit code {code}");
}

#[cfg(test)]
mod tests {
    use std::thread;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_wait_loses_no_reason() {
        at_every_poll(async |cancel| {
            let stop = Stop::default();
            let stops = async {
                sleep(Duration::from_millis(50)).await;
                stop.stop(Reason::DatabaseLost);
            };
            tokio::join!(cancel.run(stop.stopped()), stops);
            let reason = within(HOUR, stop.stopped()).await;
            assert_eq!(reason, Reason::DatabaseLost);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_reaches_a_task_that_waits_late() {
        let stop = Stop::default();
        stop.stop(Reason::Signal);
        let late = stop.clone();
        drop(stop);
        let reason = within(HOUR, late.stopped()).await;
        assert_eq!(reason, Reason::Signal);
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_first_reason_stays() {
        let stop = Stop::default();
        for reason in [Reason::DatabaseLost, Reason::Signal] {
            stop.stop(reason);
            let first = within(HOUR, stop.stopped()).await;
            assert_eq!(first, Reason::DatabaseLost);
        }
    }

    /// Two threads stop it for different reasons, and every task that
    /// waits gets the same one.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn threads_agree_on_the_reason() {
        for _ in 0..500 {
            let stop = Stop::default();
            let mut waits = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let stop = stop.clone();
                waits.spawn(async move { stop.stopped().await });
            }
            thread::scope(|threads| {
                threads.spawn(|| stop.stop(Reason::Signal));
                threads.spawn(|| stop.stop(Reason::DatabaseLost));
            });
            let ten_seconds = Duration::from_secs(10);
            let reasons = within(ten_seconds, waits.join_all()).await;
            let expected = stop.stopped().await;
            assert!(reasons.iter().all(|it| *it == expected));
        }
    }

    /// A child can't cancel the others without a reason.
    #[tokio::test(start_paused = true)]
    async fn stop_of_a_child_token_is_one_way() {
        let stop = Stop::default();
        let child = stop.token.child_token();
        child.cancel();
        assert!(!stop.token.is_cancelled());
        let child = stop.token.child_token();
        stop.stop(Reason::Signal);
        within(HOUR, child.cancelled()).await;
        assert_eq!(stop.stopped().await, Reason::Signal);
    }
}
