//! If one part of the program ends, stop the others and name that part.

// ANCHOR: run
use tokio::time::{Duration, timeout};
use tokio_util::{sync::CancellationToken, task::JoinMap};

/// Runs the parts until the stop or until one part ends, stops the
/// others, and aborts any that are left after the grace period. Returns
/// an error that names the part that ended early, the first part that
/// failed or panicked, or the parts that were aborted. Takes at most
/// `grace` plus `LAST` after the stop. If dropped, it aborts all parts.
async fn run(
    mut parts: Parts,
    stop: CancellationToken,
    grace: Duration,
) -> Result<(), String> {
    let first = tokio::select! {
        biased;
        // First, because parts that it stopped may be ready, too.
        () = stop.cancelled() => None,
        first = parts.join_next() => first,
    };
    // Between the two polls, the stop may have ended a part.
    let is_early = !stop.is_cancelled();
    stop.cancel();
    let mut ended = match first {
        Some((name, Ok(Ok(())))) if is_early => {
            Err(format!("{name} has ended"))
        }
        Some((name, result)) => outcome(name, result),
        None => Ok(()),
    };
    if timeout(grace, join_all(&mut parts, &mut ended)).await.is_err() {
        let late: Vec<_> = parts.keys().copied().collect();
        // `eprintln!` would panic if stderr were closed.
        _ = writeln!(io::stderr(), "aborted: {late:?}");
        ended = ended.and(Err(format!("aborted: {late:?}")));
        parts.abort_all();
        // Until the parts have ended, they hold connections.
        timeout(LAST, join_all(&mut parts, &mut ended)).await.ok();
    }
    ended
}
// ANCHOR_END: run

// ANCHOR: outcome
use std::{
    error::Error,
    io::{self, Write},
    iter::successors,
};

use tokio::task::JoinError;

type Parts = JoinMap<&'static str, io::Result<()>>;

/// How long parts may take to end after the abort.
const LAST: Duration = Duration::from_millis(500);

/// Joins parts until none is left. Keeps the first error, and prints
/// the others.
async fn join_all(parts: &mut Parts, ended: &mut Result<(), String>) {
    while let Some((name, result)) = parts.join_next().await {
        let result = outcome(name, result);
        if ended.is_ok() {
            *ended = result;
        } else if let Err(error) = result {
            _ = writeln!(io::stderr(), "{error}");
        }
    }
}

/// A part's result: an error or a panic as text, with the part's name
/// and all causes.
fn outcome(
    name: &str,
    result: Result<io::Result<()>, JoinError>,
) -> Result<(), String> {
    result.map_err(io::Error::other).flatten().map_err(|error| {
        let causes = successors(error.source(), |it| (*it).source());
        let causes: String =
            causes.map(|cause| format!(": {cause}")).collect();
        format!("{name}: {error}{causes}")
    })
}
// ANCHOR_END: outcome

// ANCHOR: main
use tokio::time::{Instant, sleep};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let (mut parts, stop) = (Parts::new(), CancellationToken::new());
    let stopped = stop.clone();
    parts.spawn("server", async move {
        stopped.cancelled().await;
        Ok(())
    });
    parts.spawn("importer", async {
        sleep(Duration::from_secs(3)).await;
        Err(io::Error::other("the broker closed the connection"))
    });
    let ended = run(parts, stop, Duration::from_secs(10)).await;
    println!("after {:?}: {ended:?}", start.elapsed());
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::{future::pending, panic::resume_unwind, sync::Arc};

    use super::*;

    const NAMES: [&str; 4] = ["api", "importer", "mailer", "exporter"];

    /// Parts that run until the stop.
    fn parts(stop: &CancellationToken) -> Parts {
        let mut parts = Parts::new();
        for name in NAMES {
            let stop = stop.clone();
            parts.spawn(name, async move {
                stop.cancelled().await;
                Ok(())
            });
        }
        parts
    }

    const GRACE: Duration = Duration::from_secs(10);

    async fn ended(
        parts: Parts,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let running = run(parts, stop.clone(), GRACE);
        let ended = hazards::within(hazards::HOUR, running).await;
        hazards::no_task_left().await;
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn stop_is_no_error() {
        let stop = CancellationToken::new();
        let stops = stop.clone();
        let stopping = tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            stops.cancel();
        });
        assert_eq!(ended(parts(&stop), &stop).await, Ok(()));
        stopping.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_any_part_stops_the_others() {
        for name in NAMES {
            let stop = CancellationToken::new();
            let mut parts = parts(&stop);
            parts.spawn(name, async {
                resume_unwind(Box::new("no disk"));
            });
            let error = ended(parts, &stop).await.expect_err("a panic");
            assert!(error.starts_with(name), "{error}");
            assert!(error.contains("no disk"), "{error}");
            assert!(stop.is_cancelled());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_and_return_of_any_part_stop_the_others() {
        for name in NAMES {
            let stop = CancellationToken::new();
            let mut failing = parts(&stop);
            failing.spawn(name, async { Err(io::Error::other("no")) });
            let error = ended(failing, &stop).await;
            assert_eq!(error, Err(format!("{name}: no")));
            let stop = CancellationToken::new();
            let mut returning = parts(&stop);
            returning.spawn(name, async { Ok(()) });
            let error = ended(returning, &stop).await;
            assert_eq!(error, Err(format!("{name} has ended")));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_part_ends_with_the_grace_period() {
        let stop = CancellationToken::new();
        let mut parts = parts(&stop);
        parts.spawn("silent", pending());
        stop.cancel();
        let start = Instant::now();
        let error = Err("aborted: [\"silent\"]".to_owned());
        assert_eq!(ended(parts, &stop).await, error);
        assert!(start.elapsed() < GRACE + Duration::from_millis(10));
    }

    /// Two parts fail, and a third part needs its grace period.
    #[tokio::test(start_paused = true)]
    async fn failure_of_two_parts_leaves_the_grace_period() {
        let stop = CancellationToken::new();
        let mut parts = parts(&stop);
        for (name, seconds) in [("one", 1), ("two", 2)] {
            parts.spawn(name, async move {
                sleep(Duration::from_secs(seconds)).await;
                Err(io::Error::other("no disk"))
            });
        }
        let (done, is_done) = tokio::sync::oneshot::channel();
        parts.spawn("slow", async move {
            sleep(Duration::from_secs(5)).await;
            done.send(()).map_err(|()| io::ErrorKind::BrokenPipe.into())
        });
        let error = Err("one: no disk".to_owned());
        assert_eq!(ended(parts, &stop).await, error);
        is_done.await.expect("it has finished");
    }

    /// Runs the test above in a process whose stderr is closed.
    #[test]
    fn failure_of_stderr_leaves_the_grace_period() {
        let test = "failure_of_two_parts_leaves_the_grace_period";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    /// The pool of an aborted part can be closed when `run` returns.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_part_holds_nothing_afterwards() {
        let (stop, held) = (CancellationToken::new(), Arc::new(()));
        let mut parts = parts(&stop);
        let connection = Arc::clone(&held);
        parts.spawn("silent", async move {
            let _connection = connection;
            pending().await
        });
        stop.cancel();
        assert!(run(parts, stop, GRACE).await.is_err());
        assert_eq!(Arc::strong_count(&held), 1);
    }

    /// On a real clock: an abort can't stop a part that never yields.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_is_not_held_by_a_blocked_thread() {
        let stop = CancellationToken::new();
        let mut parts = parts(&stop);
        let (begun, begins) = tokio::sync::oneshot::channel();
        parts.spawn("computes", async {
            let _ = begun.send(());
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        });
        begins.await.expect("it has begun");
        stop.cancel();
        let start = Instant::now();
        let ended = run(parts, stop, Duration::from_millis(100)).await;
        assert_eq!(ended, Err("aborted: [\"computes\"]".to_owned()));
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[derive(Debug)]
    struct CannotSend(io::Error);

    impl std::fmt::Display for CannotSend {
        fn fmt(
            &self,
            text: &mut std::fmt::Formatter<'_>,
        ) -> std::fmt::Result {
            text.write_str("cannot send")
        }
    }

    impl Error for CannotSend {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_names_every_cause() {
        let stop = CancellationToken::new();
        let mut parts = parts(&stop);
        parts.spawn("mailer", async {
            let refused = io::Error::other("connection refused");
            Err(io::Error::other(CannotSend(refused)))
        });
        let error = "mailer: cannot send: connection refused";
        assert_eq!(ended(parts, &stop).await, Err(error.to_owned()));
    }

    /// Another thread stops the parts at any moment, and they obey.
    /// That doesn't count as an early end.
    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn threads_stop_at_any_moment_is_no_error() {
        for round in 0..3_000 {
            let stop = CancellationToken::new();
            let parts = parts(&stop);
            let stops = stop.clone();
            let stopping = tokio::spawn(async move {
                for _ in 0..round % 50 {
                    std::hint::spin_loop();
                }
                stops.cancel();
            });
            assert_eq!(
                run(parts, stop, GRACE).await,
                Ok(()),
                "{round}"
            );
            stopping.await.expect("no panic");
        }
    }

    /// The stop came first, so nothing else would say that it failed.
    #[tokio::test(start_paused = true)]
    async fn failure_after_the_stop_is_an_error() {
        for name in NAMES {
            let stop = CancellationToken::new();
            let mut parts = parts(&stop);
            let stopped = stop.clone();
            parts.spawn(name, async move {
                stopped.cancelled().await;
                Err(io::Error::other("not flushed"))
            });
            stop.cancel();
            let error = Err(format!("{name}: not flushed"));
            assert_eq!(ended(parts, &stop).await, error);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_part_is_waited_for() {
        let stop = CancellationToken::new();
        let mut parts = Parts::new();
        let stopped = stop.clone();
        let (done, is_done) = tokio::sync::oneshot::channel();
        parts.spawn("slow", async move {
            stopped.cancelled().await;
            sleep(GRACE - Duration::from_secs(1)).await;
            done.send(()).map_err(|()| io::ErrorKind::BrokenPipe.into())
        });
        stop.cancel();
        assert_eq!(ended(parts, &stop).await, Ok(()));
        is_done.await.expect("it has finished");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_all_parts() {
        hazards::at_every_poll(async |cancel| {
            let stop = CancellationToken::new();
            let mut parts = parts(&stop);
            parts.spawn("silent", pending());
            parts.spawn("failing", async {
                sleep(Duration::from_secs(1)).await;
                Err(io::Error::other("no"))
            });
            cancel.run(run(parts, stop, GRACE)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let stop = CancellationToken::new();
        let owner = tokio::spawn(run(parts(&stop), stop, GRACE));
        sleep(Duration::from_secs(1)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_part() {
        let stop = CancellationToken::new();
        assert_eq!(ended(Parts::new(), &stop).await, Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_stop_all_parts() {
        for _ in 0..200 {
            let stop = CancellationToken::new();
            let mut parts = parts(&stop);
            parts.spawn("returns", async { Ok(()) });
            let ended = run(parts, stop, GRACE).await;
            assert_eq!(ended, Err("returns has ended".to_owned()));
        }
    }
}
