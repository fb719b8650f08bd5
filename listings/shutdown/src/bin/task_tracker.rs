//! Wait for a tracker's tasks within a grace period, then drop the rest.

// ANCHOR: spawn
use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A program's tasks. Clones share them, so any part can spawn tasks.
#[derive(Clone, Default)]
struct Tasks {
    /// Asks the tasks to stop. Each task decides when it stops.
    stop: CancellationToken,
    /// Drops every task at its current `.await`.
    cut: CancellationToken,
    running: TaskTracker,
    /// In a service that runs for months, log these instead.
    failed: Arc<Mutex<Vec<String>>>,
}

impl Tasks {
    /// Spawns a task that `stop` waits for, and reports its panic.
    fn spawn<F>(&self, name: String, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = self.cut.clone().run_until_cancelled_owned(work);
        let failed = self.failed.clone();
        self.running.spawn(async move {
            let why = match AssertUnwindSafe(work).catch_unwind().await
            {
                Ok(Some(())) => return,
                Ok(None) => "cut off".to_owned(),
                Err(panic) => format!("panicked: {}", message(&*panic)),
            };
            let mut failed =
                failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.push(format!("{name}: {why}"));
        });
    }
}
// ANCHOR_END: spawn

// ANCHOR: message
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| Some(panic.downcast_ref::<String>()?));
    text.unwrap_or("no message")
}
// ANCHOR_END: message

// ANCHOR: stop
use tokio::time::{Duration, timeout};

/// How long tasks may take to end after they were cut off.
const LAST: Duration = Duration::from_millis(500);

impl Tasks {
    /// Asks all tasks to stop, waits for them within the grace period,
    /// and cuts the rest off. Returns which tasks failed, and how many
    /// still run because they block their thread. If this future is
    /// dropped, the tasks keep running: call it again.
    async fn stop(&self, grace: Duration) -> (Vec<String>, usize) {
        self.stop.cancel();
        self.running.close();
        // After a timeout, `len` below counts the tasks that are left.
        let _ = timeout(grace, self.running.wait()).await;
        // This also cuts off tasks that are spawned from now on.
        self.cut.cancel();
        let _ = timeout(LAST, self.running.wait()).await;
        let mut failed =
            self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *failed), self.running.len())
    }
}
// ANCHOR_END: stop

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::{Instant, sleep};

/// Sends ten receipts, each in its own task, and stops. If `silent`,
/// receipt 4 gets no answer. Returns how many receipts were sent.
async fn send_and_stop(
    each: Duration,
    silent: bool,
) -> (u32, Vec<String>) {
    let tasks = Tasks::default();
    let sent = Arc::new(AtomicU32::new(0));
    for receipt in 1..=10 {
        let sent = sent.clone();
        tasks.spawn(format!("receipt {receipt}"), async move {
            match silent && receipt == 4 {
                true => std::future::pending().await,
                false => sleep(each).await,
            }
            sent.fetch_add(1, Ordering::Relaxed);
        });
    }
    let (failed, _running) = tasks.stop(GRACE).await;
    (sent.load(Ordering::Relaxed), failed)
}

const GRACE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (millis, silent) in [(100, false), (6000, false), (100, true)] {
        let start = Instant::now();
        let each = Duration::from_millis(millis);
        let (sent, failed) = send_and_stop(each, silent).await;
        let took = start.elapsed();
        println!("{millis} ms each: {sent} of 10 sent in {took:?}");
        for receipt in failed {
            println!("  {receipt}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, panic::resume_unwind, thread};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_receipts_are_sent() {
        for each in [Duration::from_millis(100), Duration::from_secs(6)]
        {
            let start = Instant::now();
            assert_eq!(send_and_stop(each, false).await, (10, vec![]));
            assert_eq!(start.elapsed(), each);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_what_was_begun() {
        let second = Duration::from_secs(1);
        assert_eq!(send_and_stop(second, false).await.0, 10);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_grace_period() {
        let start = Instant::now();
        let each = Duration::from_millis(100);
        let (sent, failed) = send_and_stop(each, true).await;
        assert_eq!(
            (sent, failed),
            (9, vec!["receipt 4: cut off".into()])
        );
        assert_eq!(start.elapsed(), GRACE);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_and_leaves_the_others() {
        for broken in hazards::some_panic(10) {
            let tasks = Tasks::default();
            let sent = Arc::new(AtomicU32::new(0));
            for receipt in 0..10 {
                let (sent, panics) =
                    (sent.clone(), broken.contains(&receipt));
                tasks.spawn(format!("receipt {receipt}"), async move {
                    sleep(Duration::from_secs(1)).await;
                    if panics {
                        resume_unwind(Box::new("no address"));
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                });
            }
            let (mut failed, running) = tasks.stop(GRACE).await;
            failed.sort_unstable();
            let expected: Vec<String> = broken
                .iter()
                .map(|it| format!("receipt {it}: panicked: no address"))
                .collect();
            assert_eq!((failed, running), (expected, 0));
            let sent = sent.load(Ordering::Relaxed) as usize;
            assert_eq!(sent, 10 - broken.len());
        }
    }

    /// Whatever `stop` has seen, it can be called again.
    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_tasks_that_a_second_call_stops() {
        hazards::at_every_poll(async |cancel| {
            let tasks = Tasks::default();
            tasks.spawn("silent".into(), pending());
            tasks.spawn("quick".into(), sleep(Duration::from_secs(1)));
            let first = cancel.run(tasks.stop(GRACE)).await;
            let (failed, running) = match first {
                Some(ended) => ended,
                None => tasks.stop(GRACE).await,
            };
            assert_eq!(running, 0);
            assert_eq!(failed, ["silent: cut off"]);
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_it_stops_nothing_twice() {
        let tasks = Tasks::default();
        tasks.spawn("silent".into(), pending());
        assert_eq!(tasks.stop(GRACE).await.0, ["silent: cut off"]);
        assert_eq!(tasks.stop(GRACE).await, (vec![], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_wait_returns_without_a_task() {
        let stopped = Tasks::default();
        hazards::within(hazards::HOUR, stopped.stop(GRACE)).await;
    }

    /// A task that is spawned after the stop doesn't run on.
    #[tokio::test(start_paused = true)]
    async fn edges_a_task_that_comes_late_is_cut() {
        let tasks = Tasks::default();
        assert_eq!(tasks.stop(GRACE).await, (vec![], 0));
        tasks.spawn("late".into(), pending());
        hazards::no_task_left().await;
        let ended = tasks.stop(Duration::ZERO).await;
        assert_eq!(ended, (vec!["late: cut off".into()], 0));
    }

    /// On a real clock: a task that blocks its thread can't be cut off.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn threads_that_are_blocked_do_not_hold_it() {
        let tasks = Tasks::default();
        let (begun, begins) = tokio::sync::oneshot::channel();
        tasks.spawn("computes".into(), async {
            let _ = begun.send(());
            thread::sleep(Duration::from_secs(2));
        });
        begins.await.expect("it begins");
        let start = Instant::now();
        let (failed, running) =
            tasks.stop(Duration::from_millis(50)).await;
        assert_eq!((failed, running), (vec![], 1));
        assert!(start.elapsed() < Duration::from_millis(1900));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_receipt() {
        for _ in 0..200 {
            let tasks = Tasks::default();
            let sent = Arc::new(AtomicU32::new(0));
            for receipt in 0..20 {
                let sent = sent.clone();
                tasks.spawn(receipt.to_string(), async move {
                    tokio::task::yield_now().await;
                    sent.fetch_add(1, Ordering::Relaxed);
                });
            }
            assert_eq!(tasks.stop(GRACE).await, (vec![], 0));
            assert_eq!(sent.load(Ordering::Relaxed), 20);
        }
    }

    /// The owner is dropped: its tasks hold clones of the token.
    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_the_tasks_to_a_clone() {
        let tasks = Tasks::default();
        let clone = tasks.clone();
        tasks.spawn("silent".into(), pending());
        drop(tasks);
        assert_eq!(clone.stop(GRACE).await.0, ["silent: cut off"]);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_tasks_is_counted() {
        let tasks = Tasks::default();
        for nth in 0..1000 {
            tasks.spawn(nth.to_string(), pending());
        }
        let (failed, running) = tasks.stop(GRACE).await;
        assert_eq!((failed.len(), running), (1000, 0));
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_grace_of_less_than_a_millisecond() {
        for grace in [Duration::ZERO, Duration::from_nanos(1)] {
            let tasks = Tasks::default();
            tasks.spawn("silent".into(), pending());
            let ended = tasks.stop(grace).await;
            assert_eq!(ended, (vec!["silent: cut off".into()], 0));
        }
    }
}
