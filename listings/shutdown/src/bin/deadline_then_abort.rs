//! Ask tasks to stop, wait, abort the rest, and report what is left.

// ANCHOR: stop
use tokio::time::{Duration, timeout};
use tokio_util::{sync::CancellationToken, task::JoinMap};

/// How the tasks ended, by name.
#[derive(Debug, Default, PartialEq)]
struct Ended {
    done: Vec<&'static str>,
    panicked: Vec<(&'static str, String)>,
    aborted: Vec<&'static str>,
    /// These block their thread, so the abort has no effect.
    still_running: Vec<&'static str>,
}

/// How long tasks may take to end after the abort.
const LAST: Duration = Duration::from_millis(500);

/// Asks all tasks to stop, and aborts any that are still running after
/// the grace period. Takes at most `grace` plus `LAST`. If this future
/// is dropped, all tasks are aborted.
async fn stop(
    stop: &CancellationToken,
    mut tasks: JoinMap<&'static str, ()>,
    grace: Duration,
) -> Ended {
    stop.cancel();
    let mut ended = Ended::default();
    if timeout(grace, join_all(&mut tasks, &mut ended)).await.is_err() {
        tasks.abort_all();
        let last = join_all(&mut tasks, &mut ended);
        if timeout(LAST, last).await.is_err() {
            ended.still_running = tasks.keys().copied().collect();
        }
    }
    ended
}
// ANCHOR_END: stop

// ANCHOR: join_all
/// Joins tasks until none is left. If this future is dropped, the
/// results so far stay in `ended`.
async fn join_all(
    tasks: &mut JoinMap<&'static str, ()>,
    ended: &mut Ended,
) {
    while let Some((name, result)) = tasks.join_next().await {
        match result {
            Ok(()) => ended.done.push(name),
            Err(error) if error.is_panic() => {
                ended.panicked.push((name, error.to_string()));
            }
            Err(_aborted) => ended.aborted.push(name),
        }
    }
}
// ANCHOR_END: join_all

// ANCHOR: run
async fn run() -> Ended {
    let token = CancellationToken::new();
    let mut tasks = JoinMap::new();
    tasks.spawn("importer", token.clone().cancelled_owned());
    let stopped = token.clone();
    tasks.spawn("mailer", async move {
        stopped.cancelled().await;
        // It finishes the mail that it has started.
        tokio::time::sleep(Duration::from_secs(3)).await;
    });
    // It waits for a silent peer, and ignores the token.
    tasks.spawn("exporter", std::future::pending());
    stop(&token, tasks, Duration::from_secs(10)).await
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", run().await);
}

#[cfg(test)]
mod tests {
    use std::{future::pending, panic::resume_unwind, thread};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_grace_period() {
        let start = Instant::now();
        let ended = run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        assert_eq!(ended.done, ["importer", "mailer"]);
        assert_eq!(ended.aborted, ["exporter"]);
        hazards::no_task_left().await;
    }

    const NAMES: [&str; 4] = ["api", "importer", "mailer", "exporter"];

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_and_leaves_the_others() {
        for broken in hazards::some_panic(NAMES.len()) {
            let mut tasks = JoinMap::new();
            for (nth, name) in NAMES.into_iter().enumerate() {
                let panics = broken.contains(&nth);
                tasks.spawn(name, async move {
                    sleep(Duration::from_secs(1)).await;
                    if panics {
                        resume_unwind(Box::new("out of paper"));
                    }
                });
            }
            let token = CancellationToken::new();
            let ended = stop(&token, tasks, hazards::HOUR).await;
            assert_eq!(ended.done.len(), NAMES.len() - broken.len());
            let mut names: Vec<_> =
                ended.panicked.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            let mut expected: Vec<_> =
                broken.iter().map(|nth| NAMES[*nth]).collect();
            expected.sort_unstable();
            assert_eq!(names, expected);
            for (_, message) in ended.panicked {
                assert!(message.contains("out of paper"), "{message}");
            }
        }
    }

    /// On a real clock: an abort doesn't reach what blocks its thread.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_is_not_held_by_a_blocked_thread() {
        let mut tasks = JoinMap::new();
        let (begun, begins) = tokio::sync::oneshot::channel();
        tasks.spawn("computes", async {
            let _ = begun.send(());
            thread::sleep(Duration::from_secs(2));
        });
        tasks.spawn_blocking("blocking", || {
            thread::sleep(Duration::from_secs(2));
        });
        begins.await.expect("it begins");
        sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        let grace = Duration::from_millis(50);
        let mut ended =
            stop(&CancellationToken::new(), tasks, grace).await;
        ended.still_running.sort_unstable();
        assert_eq!(ended.still_running, ["blocking", "computes"]);
        assert!(start.elapsed() < Duration::from_millis(1800));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_them_all() {
        hazards::at_every_poll(async |cancel| {
            let mut tasks = JoinMap::new();
            tasks.spawn("silent", pending());
            tasks.spawn("quick", sleep(Duration::from_secs(1)));
            let token = CancellationToken::new();
            let grace = Duration::from_secs(2);
            cancel.run(stop(&token, tasks, grace)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let mut tasks = JoinMap::new();
        tasks.spawn("silent", pending());
        let token = CancellationToken::new();
        let owner = tokio::spawn(async move {
            stop(&token, tasks, hazards::HOUR).await
        });
        sleep(Duration::from_secs(1)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    /// The second one with a name replaces the first, and aborts it.
    #[tokio::test(start_paused = true)]
    async fn edges_no_task_and_two_of_one_name() {
        let token = CancellationToken::new();
        let grace = Duration::from_secs(1);
        let ended = stop(&token, JoinMap::new(), grace).await;
        assert_eq!(ended, Ended::default());
        let mut tasks = JoinMap::new();
        tasks.spawn("twice", pending());
        tasks.spawn("twice", async {});
        let ended = stop(&token, tasks, grace).await;
        assert_eq!(ended.done, ["twice"]);
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_every_task_once() {
        for _ in 0..200 {
            let mut tasks = JoinMap::new();
            for name in NAMES {
                tasks.spawn(name, tokio::task::yield_now());
            }
            let token = CancellationToken::new();
            let ended = stop(&token, tasks, hazards::HOUR).await;
            assert_eq!(ended.done.len(), NAMES.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_tasks_end_within_the_grace_period() {
        let mut tasks = JoinMap::new();
        for (nth, name) in (1..).zip(NAMES) {
            tasks.spawn(name, sleep(Duration::from_secs(nth)));
        }
        let token = CancellationToken::new();
        let grace = Duration::from_millis(2500);
        let ended = stop(&token, tasks, grace).await;
        assert_eq!(ended.done, ["api", "importer"]);
        assert_eq!(ended.aborted.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_tasks_is_counted() {
        let names: Vec<_> =
            (0..1000).map(|nth| &*nth.to_string().leak()).collect();
        let mut tasks = JoinMap::new();
        for name in names {
            tasks.spawn(name, pending());
        }
        let token = CancellationToken::new();
        let grace = Duration::from_secs(1);
        let ended = stop(&token, tasks, grace).await;
        assert_eq!(ended.aborted.len(), 1000);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_grace_of_less_than_a_millisecond() {
        for grace in [Duration::ZERO, Duration::from_nanos(1)] {
            let mut tasks = JoinMap::new();
            tasks.spawn("silent", pending());
            let token = CancellationToken::new();
            let ended = stop(&token, tasks, grace).await;
            assert_eq!(ended.aborted, ["silent"]);
        }
    }
}
