//! Restart a critical task a few times, then stop the service with an error.

// ANCHOR: keep
use std::io::{self, Write};

use tokio::{
    task::JoinError,
    time::{Duration, Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Runs a task that must not end before shutdown, and restarts it when
/// it does. Returns when it has ended after shutdown, or an error after
/// `MOST` ends without a calm run. If dropped, it aborts the task.
async fn keep_running<T>(
    stop: CancellationToken,
    mut start: impl FnMut(CancellationToken) -> T,
) -> Result<(), String>
where
    T: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut ends = 0;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let task = tokio::spawn(start(stop.clone()));
        let ended = outcome(AbortOnDropHandle::new(task).await);
        if stop.is_cancelled() {
            return ended;
        }
        let why =
            ended.err().unwrap_or_else(|| "it returned".to_owned());
        if started.elapsed() >= CALM {
            ends = 0;
        }
        ends += 1;
        _ = writeln!(io::stdout(), "end {ends} of {MOST}: {why}");
        if ends >= MOST {
            return Err(format!("ended {MOST} times, at last: {why}"));
        }
        stop.run_until_cancelled(sleep(pause(ends))).await;
    }
    Ok(())
}
// ANCHOR_END: keep

// ANCHOR: parts
use std::{error::Error, iter::successors};

/// A task's error with all its causes, or its panic, as text.
fn outcome(
    ended: Result<io::Result<()>, JoinError>,
) -> Result<(), String> {
    ended.map_err(io::Error::other).flatten().map_err(|error| {
        let causes = successors(error.source(), |it| (*it).source());
        let causes: String =
            causes.map(|cause| format!(": {cause}")).collect();
        format!("{error}{causes}")
    })
}

/// Doubles each time the task ends, up to `LONGEST`; a quarter is random
/// (jitter).
fn pause(ends: u32) -> Duration {
    let doubled = PAUSE.saturating_mul(2_u32.saturating_pow(ends));
    doubled.min(LONGEST) * fastrand::u32(75..=100) / 100
}

const MOST: u32 = 3;
const CALM: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(30);
// ANCHOR_END: parts

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::task::JoinMap;

type Parts = JoinMap<&'static str, Result<(), String>>;

/// Runs the parts until the stop or until one of them ends, stops the
/// others, and aborts any that are left after the grace period.
async fn run(
    mut parts: Parts,
    stop: CancellationToken,
    grace: Duration,
) -> Result<(), String> {
    let first = tokio::select! {
        biased;
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
        Some((name, result)) => named(name, result),
        None => Ok(()),
    };
    if timeout(grace, join_all(&mut parts, &mut ended)).await.is_err() {
        let late: Vec<_> = parts.keys().copied().collect();
        _ = writeln!(io::stderr(), "aborted: {late:?}");
        ended = ended.and(Err(format!("aborted: {late:?}")));
        parts.abort_all();
        // Until the parts have ended, they hold connections.
        timeout(LAST, join_all(&mut parts, &mut ended)).await.ok();
    }
    ended
}

/// How long parts may take to end after the abort.
const LAST: Duration = Duration::from_millis(500);

/// Joins parts until none is left. Keeps the first error, and prints
/// the others.
async fn join_all(parts: &mut Parts, ended: &mut Result<(), String>) {
    while let Some((name, result)) = parts.join_next().await {
        let result = named(name, result);
        if ended.is_ok() {
            *ended = result;
        } else if let Err(error) = result {
            _ = writeln!(io::stderr(), "{error}");
        }
    }
}

fn named(
    name: &str,
    result: Result<Result<(), String>, JoinError>,
) -> Result<(), String> {
    let result = result.map_err(|error| error.to_string()).flatten();
    result.map_err(|error| format!("{name}: {error}"))
}

// ANCHOR: main
async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), String> {
    let shop = Router::new().route("/price", get(async || "12 euros"));
    let served = axum::serve(listener, shop)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    served.map_err(|error| error.to_string())
}

/// Sends the emails that customers expect, until shutdown.
async fn mailer(stop: CancellationToken) -> io::Result<()> {
    stop.run_until_cancelled(send_emails()).await.unwrap_or(Ok(()))
}

async fn send_emails() -> io::Result<()> {
    Err(io::Error::other("the mail server refuses the password"))
}

/// Cancels `stop` at SIGTERM, unless the handle has been dropped.
fn stop_at_sigterm(
    stop: CancellationToken,
) -> io::Result<AbortOnDropHandle<()>> {
    let mut sigterm = signal(SignalKind::terminate())?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        sigterm.recv().await;
        stop.cancel();
    })))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut parts, stop) = (Parts::new(), CancellationToken::new());
    let _signals = stop_at_sigterm(stop.clone())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    parts.spawn("server", serve(listener, stop.clone()));
    parts.spawn("mailer", keep_running(stop.clone(), mailer));
    Ok(run(parts, stop, Duration::from_secs(10)).await?)
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        panic::resume_unwind,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
    };

    use tokio::process::Command;

    use super::*;

    async fn ended<T>(
        start: impl FnMut(CancellationToken) -> T,
    ) -> Result<(), String>
    where
        T: Future<Output = io::Result<()>> + Send + 'static,
    {
        let keep = keep_running(CancellationToken::new(), start);
        let ended = hazards::within(hazards::HOUR, keep).await;
        hazards::no_task_left().await;
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_each_run_ends_with_its_message() {
        let error =
            ended(|_| async { resume_unwind(Box::new("no disk")) });
        let error = error.await.expect_err("a panic");
        assert!(error.contains("no disk"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_or_return_is_retried_and_then_an_error() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            async { Err(io::Error::other("no mail server")) }
        };
        let error = ended(counted).await.expect_err("it failed");
        assert_eq!(error, "ended 3 times, at last: no mail server");
        assert_eq!(runs.load(Ordering::Relaxed), MOST);
        let error =
            ended(|_| async { Ok(()) }).await.expect_err("it ends");
        assert_eq!(error, "ended 3 times, at last: it returned");
    }

    /// Two parts fail, and a third one ignores the stop.
    #[tokio::test(start_paused = true)]
    async fn failure_of_two_parts_still_aborts_the_third() {
        hazards::is_unread();
        let (mut parts, stop) =
            (Parts::new(), CancellationToken::new());
        for (name, seconds) in [("one", 1), ("two", 2)] {
            parts.spawn(name, async move {
                sleep(Duration::from_secs(seconds)).await;
                Err("no disk".to_owned())
            });
        }
        parts.spawn("late", pending());
        let running = run(parts, stop, Duration::from_secs(10));
        let ended = hazards::within(hazards::HOUR, running).await;
        assert_eq!(ended, Err("one: no disk".to_owned()));
        hazards::no_task_left().await;
    }

    /// The previous test, in a process whose stderr is closed.
    #[test]
    fn failure_of_stderr_still_aborts_the_third() {
        let test = "failure_of_two_parts_still_aborts_the_third";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    /// This executable, as a child process that runs one test.
    fn process(test: &str) -> io::Result<Command> {
        let (_, module) =
            module_path!().split_once("::").expect("a module");
        let mut child = Command::new(std::env::current_exe()?);
        child
            .arg(format!("{module}::{test}"))
            .args(["--exact", "--nocapture", "--test-threads=2"])
            .env("CHILD", test)
            .kill_on_drop(true);
        Ok(child)
    }

    /// Does nothing as a test: another test runs it as a child process.
    #[tokio::test(start_paused = true)]
    async fn without_stdout() {
        if !hazards::is_unread() {
            return;
        }
        let keep = keep_running(CancellationToken::new(), |_| async {
            Err(io::Error::other("no mail server"))
        });
        let why = "ended 3 times, at last: no mail server".to_owned();
        std::process::exit(i32::from(keep.await != Err(why)));
    }

    /// Nobody reads the log anymore, and the task fails.
    #[test]
    fn failure_of_stdout_leaves_the_restarts() {
        hazards::succeeds_unread(module_path!(), "without_stdout");
    }

    /// In a child, because the signal would reach the other tests, too.
    #[tokio::test]
    async fn gets_sigterm() {
        if std::env::var_os("CHILD").is_none() {
            return;
        }
        let (mut parts, stop) =
            (Parts::new(), CancellationToken::new());
        let _signals =
            stop_at_sigterm(stop.clone()).expect("a handler");
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        parts.spawn("server", serve(listener, stop.clone()));
        let raise = async {
            sleep(Duration::from_millis(50)).await;
            signal_hook::low_level::raise(signal_hook::consts::SIGTERM)
        };
        let running = run(parts, stop, Duration::from_secs(10));
        let (ended, raised) = tokio::join!(running, raise);
        raised.expect("a signal");
        assert_eq!(ended, Ok(()));
    }

    #[tokio::test]
    async fn stop_at_sigterm_is_no_error() -> io::Result<()> {
        let child = process("gets_sigterm")?.output();
        let output = timeout(CALM, child).await??;
        assert!(output.status.success(), "{output:?}");
        Ok(())
    }

    /// A task that ends every hour is restarted for as long as it takes.
    #[tokio::test(start_paused = true)]
    async fn again_after_a_calm_time_it_starts_from_the_first_pause() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            async {
                sleep(CALM).await;
                Err(io::Error::other("the connection was closed"))
            }
        };
        let keep = keep_running(CancellationToken::new(), counted);
        assert!(timeout(CALM * 50, keep).await.is_err());
        assert!(runs.load(Ordering::Relaxed) > 45);
    }

    /// A panic loop doesn't use a whole core.
    #[tokio::test(start_paused = true)]
    async fn overload_of_panics_is_slowed_down() {
        let start = Instant::now();
        let panics = ended(|_| async { resume_unwind(Box::new("no")) });
        assert!(panics.await.is_err());
        let pauses = PAUSE * (2 + 4) * 75 / 100;
        assert!(start.elapsed() >= pauses, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_in_a_pause_or_in_the_task() {
        let stop = CancellationToken::new();
        let failing = |_| async { Err(io::Error::other("no")) };
        let keep = tokio::spawn(keep_running(stop.clone(), failing));
        sleep(Duration::from_millis(1)).await;
        stop.cancel();
        assert_eq!(keep.await.expect("no panic"), Ok(()));
        for (result, expected) in
            [(true, Ok(())), (false, Err("not sent".to_owned()))]
        {
            let stop = CancellationToken::new();
            let start = move |stop: CancellationToken| async move {
                stop.cancelled().await;
                sleep(Duration::from_secs(1)).await;
                result.then_some(()).ok_or(io::Error::other("not sent"))
            };
            let keep = tokio::spawn(keep_running(stop.clone(), start));
            sleep(Duration::from_secs(1)).await;
            stop.cancel();
            assert_eq!(keep.await.expect("no panic"), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_task() {
        hazards::at_every_poll(async |cancel| {
            let start = |_| async {
                sleep(Duration::from_secs(1)).await;
                Err(io::Error::other("no"))
            };
            let stop = CancellationToken::new();
            cancel.run(keep_running(stop, start)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let stop = CancellationToken::new();
        let owner = tokio::spawn(keep_running(stop, |_| pending()));
        sleep(Duration::from_secs(1)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    /// A task that gets the token doesn't use up the grace period.
    #[tokio::test(start_paused = true)]
    async fn stop_of_a_healthy_task_is_quick_and_no_error() {
        let (mut parts, stop) =
            (Parts::new(), CancellationToken::new());
        let healthy = async |stop: CancellationToken| {
            let never = stop.run_until_cancelled(pending());
            never.await.unwrap_or(Ok(()))
        };
        let start = move |stop| Box::pin(healthy(stop));
        parts.spawn("mailer", keep_running(stop.clone(), start));
        tokio::spawn({
            let stop = stop.clone();
            async move {
                sleep(Duration::from_secs(1)).await;
                stop.cancel();
            }
        });
        let start = Instant::now();
        let ended = run(parts, stop, Duration::from_secs(10)).await;
        assert_eq!(ended, Ok(()));
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn overload_pause_has_a_limit() {
        for ends in [1, 31, 32, u32::MAX] {
            assert!(pause(ends) <= LONGEST);
        }
        assert!(pause(u32::MAX) >= LONGEST * 3 / 4);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_failing_mailer_stops_the_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (mut parts, stop) =
            (Parts::new(), CancellationToken::new());
        parts.spawn("server", serve(listener, stop.clone()));
        parts.spawn("mailer", keep_running(stop.clone(), mailer));
        let ended = run(parts, stop, Duration::from_secs(10)).await;
        let error = ended.expect_err("the mailer fails");
        assert!(error.starts_with("mailer: ended 3 times"), "{error}");
        let client = tokio::net::TcpStream::connect(address).await;
        assert!(client.is_err());
    }
}
