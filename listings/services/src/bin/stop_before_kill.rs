//! Stop in steps, all of them before the supervisor's SIGKILL.

// ANCHOR: stop
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Call it when SIGTERM arrives. Returns the steps that were given up,
/// or panicked. If dropped after it began, it closes the listener.
async fn stop(
    ready: &watch::Sender<bool>,
    close: CancellationToken,
    drain: impl Future<Output = ()>,
    clean_up: impl Future<Output = ()>,
    limits: Limits,
) -> Vec<&'static str> {
    let sigterm = Instant::now();
    ready.send_replace(false);
    let close = close.drop_guard();
    sleep_until(sigterm + limits.unready).await;
    drop(close);
    let mut given_up = Vec::new();
    // `drain` is dropped inside, so a panic in its `drop` is caught.
    let end = sigterm + limits.drained;
    let drain = async { timeout_at(end, drain).await };
    let drained = AssertUnwindSafe(drain).catch_unwind().await;
    if !matches!(drained, Ok(Ok(()))) {
        given_up.push("drain");
    }
    let end = sigterm + limits.cleaned_up;
    if timeout_at(end, clean_up).await.is_err() {
        given_up.push("clean up");
    }
    given_up
}
// ANCHOR_END: stop

use tokio::time::{Duration, sleep};

// ANCHOR: limits
/// How long after SIGTERM each step must be done.
struct Limits {
    /// Keep serving until then, so that load balancers can notice.
    unready: Duration,
    /// The requests in flight are answered, or given up.
    drained: Duration,
    /// Pools are closed, and logs are written. The process exits.
    cleaned_up: Duration,
}

/// Below Kubernetes's default of 30 s, which includes a preStop hook.
const LIMITS: Limits = Limits {
    unready: Duration::from_secs(5),
    drained: Duration::from_secs(20),
    cleaned_up: Duration::from_secs(25),
};
// ANCHOR_END: limits

/// Stops a service whose drain and cleanup take this many seconds, and
/// prints when each step is done.
async fn stop_with(drain: u64, clean_up: u64) -> Vec<&'static str> {
    let start = Instant::now();
    let log = |what: &str| {
        println!("{:>4} s  {what}", start.elapsed().as_secs());
    };
    let (ready, probe) = watch::channel(true);
    let close = CancellationToken::new();
    let closed = close.clone();
    let drain = async {
        log(match (closed.is_cancelled(), *probe.borrow()) {
            (true, false) => "not ready, and the listener is closed",
            _ => "the service still accepts connections",
        });
        sleep(Duration::from_secs(drain)).await;
        log("drained");
    };
    let clean_up = async {
        sleep(Duration::from_secs(clean_up)).await;
        log("cleaned up");
    };
    let given_up = stop(&ready, close, drain, clean_up, LIMITS).await;
    log(&format!("exit; given up: {given_up:?}"));
    given_up
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("SIGTERM");
    stop_with(3, 1).await;
    println!("SIGTERM, while a client never finishes its request");
    stop_with(1000, 1).await;
    println!("SIGTERM, and the database doesn't answer either");
    stop_with(1000, 1000).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_keeps_its_deadlines() {
        assert!(stop_with(3, 1).await.is_empty());
        assert_eq!(stop_with(1000, 1).await, ["drain"]);
        assert_eq!(stop_with(1, 1000).await, ["clean up"]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_everything_ends_before_the_kill() {
        let start = Instant::now();
        let given_up = stop_with(10_000, 10_000).await;
        assert_eq!(given_up, ["drain", "clean up"]);
        assert_eq!(start.elapsed(), LIMITS.cleaned_up);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_drain_leaves_time_to_clean_up() {
        let start = Instant::now();
        assert_eq!(stop_with(1000, 4).await, ["drain"]);
        assert!(start.elapsed() < LIMITS.cleaned_up);
    }

    /// Dropped at any poll, it leaves no service that accepts and isn't
    /// ready.
    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_listener() {
        hazards::at_every_poll(async |cancel| {
            let (ready, probe) = watch::channel(true);
            let close = CancellationToken::new();
            let closed = close.clone();
            let second = || sleep(Duration::from_secs(1));
            let stopping =
                stop(&ready, close, second(), second(), LIMITS);
            cancel.run(stopping).await;
            assert_eq!(!*probe.borrow(), closed.is_cancelled());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_closes_the_listener() {
        let (ready, _probe) = watch::channel(true);
        let close = CancellationToken::new();
        let closed = close.clone();
        let owner = tokio::spawn(async move {
            let never = std::future::pending;
            stop(&ready, close, never(), never(), LIMITS).await
        });
        tokio::task::yield_now().await;
        owner.abort();
        hazards::within(hazards::HOUR, closed.cancelled()).await;
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_to_do_and_no_time() {
        assert!(stop_with(0, 0).await.is_empty());
        let (ready, _probe) = watch::channel(true);
        let none = Limits {
            unready: Duration::ZERO,
            drained: Duration::ZERO,
            cleaned_up: Duration::ZERO,
        };
        let done = std::future::ready;
        let token = CancellationToken::new();
        let given_up = stop(&ready, token, done(()), done(()), none);
        assert!(given_up.await.is_empty());
    }

    async fn bug() {
        std::panic::resume_unwind(Box::new(()))
    }

    /// The logs are written, even if the drain panics.
    #[tokio::test(start_paused = true)]
    async fn panic_of_the_drain_still_cleans_up() {
        let (ready, _probe) = watch::channel(true);
        let close = CancellationToken::new();
        let (closed, mut cleaned_up) = (close.clone(), false);
        let clean_up = async { cleaned_up = true };
        let stopped = stop(&ready, close, bug(), clean_up, LIMITS);
        assert_eq!(stopped.await, ["drain"]);
        assert!(closed.is_cancelled() && cleaned_up);
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_deadline_still_cleans_up() {
        let (ready, _probe) = watch::channel(true);
        let mut cleaned_up = false;
        let drain = async {
            let _guard = PanicsInDrop;
            std::future::pending().await
        };
        let clean_up = async { cleaned_up = true };
        let close = CancellationToken::new();
        let stopped = stop(&ready, close, drain, clean_up, LIMITS);
        assert_eq!(stopped.await, ["drain"]);
        assert!(cleaned_up);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_cleanup_reaches_the_caller() {
        let stopping = tokio::spawn(async move {
            let (ready, _probe) = watch::channel(true);
            let done = std::future::ready(());
            let close = CancellationToken::new();
            stop(&ready, close, done, bug(), LIMITS).await
        });
        assert!(stopping.await.is_err_and(|error| error.is_panic()));
    }
}
