//! Pauses, panics, and stops at inconvenient moments.

use super::solution::{End, Policy, supervise};
use futures::FutureExt;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

exam::tests! {
    paused failures_and_panics_are_restarted_after_growing_pauses,
    paused a_healthy_run_resets_the_pause,
    paused a_stop_is_immediate_in_a_pause_and_waits_for_cleanup,
    paused a_panic_in_start_is_a_failure,
    paused it_restarts_as_often_as_needed,
    paused an_aborted_run_has_ended,
    paused a_dropped_supervisor_ends_its_run,
}

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy {
        first: SECOND,
        longest: 8 * SECOND,
        healthy: 60 * SECOND,
        grace: 10 * SECOND,
    }
}

/// Sets its flag when it's dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn failures_and_panics_are_restarted_after_growing_pauses() {
    let (begin, mut starts) = (Instant::now(), Vec::new());
    let end = supervise(policy(), CancellationToken::new(), |_| {
        starts.push(begin.elapsed().as_secs());
        let number = starts.len();
        async move {
            match number {
                7 => Ok(()),
                even if even % 2 == 0 => panic!("run {even}"),
                odd => Err(format!("run {odd}")),
            }
        }
    });
    assert_eq!(end.await, End::Finished, "the last run returned Ok");
    let expected = [0, 1, 3, 7, 15, 23, 31];
    assert_eq!(starts, expected, "it was started at these seconds");
}

async fn a_healthy_run_resets_the_pause() {
    let (begin, mut starts) = (Instant::now(), Vec::new());
    let end = supervise(policy(), CancellationToken::new(), |_| {
        starts.push(begin.elapsed().as_secs());
        let run = [1, 1, 1, 60, 1, 30, 1].get(starts.len() - 1).copied();
        async move {
            let Some(run) = run else {
                return Ok(());
            };
            sleep(run * SECOND).await;
            Err("failed".into())
        }
    });
    assert_eq!(end.await, End::Finished, "the last run returned Ok");
    // Pauses of 1, 2, and 4 s; 60 s are healthy, so 1 and 2 again; 30 s aren't, so 4 and 8.
    let expected = [0, 2, 5, 10, 71, 74, 108, 117];
    assert_eq!(starts, expected, "it was started at these seconds");
}

async fn a_stop_is_immediate_in_a_pause_and_waits_for_cleanup() {
    let (stop, runs) = (CancellationToken::new(), AtomicU32::new(0));
    let long = Policy {
        first: 1000 * SECOND,
        longest: 1000 * SECOND,
        ..policy()
    };
    let supervisor = supervise(long, stop.clone(), |_| {
        runs.fetch_add(1, Ordering::SeqCst);
        async { Err("failed".into()) }
    });
    let begin = Instant::now();
    let stopped = async {
        sleep(5 * SECOND).await;
        stop.cancel();
    };
    let (end, ()) = tokio::join!(supervisor, stopped);
    assert_eq!(end, End::Stopped, "it was stopped in a pause");
    let took = begin.elapsed().as_secs();
    assert_eq!(took, 5, "the stop came after 5 s, in a pause of 1000 s");
    assert_eq!(
        runs.load(Ordering::SeqCst),
        1,
        "it ran again after the stop"
    );

    let (stop, cleaned) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let supervisor = supervise(policy(), stop.clone(), |stop| {
        let cleaned = cleaned.clone();
        async move {
            stop.cancelled().await;
            sleep(3 * SECOND).await;
            cleaned.store(true, Ordering::SeqCst);
            Err("connection closed".into())
        }
    });
    let stopped = async { stop.cancel() };
    let (end, ()) = tokio::join!(supervisor, stopped);
    assert_eq!(end, End::Stopped, "the run ended within the grace time");
    let cleaned = cleaned.load(Ordering::SeqCst);
    assert!(cleaned, "it didn't wait for the run's cleanup");
}

async fn a_panic_in_start_is_a_failure() {
    let mut starts = 0;
    let supervisor = supervise(policy(), CancellationToken::new(), |_| {
        starts += 1;
        assert!(starts > 3, "start {starts} panics");
        async { Ok(()) }
    });
    let end = AssertUnwindSafe(supervisor).catch_unwind().await;
    let end = end.expect("a panic of `start` went through the supervisor");
    assert_eq!(end, End::Finished, "the last run returned Ok");
    assert_eq!(
        starts, 4,
        "a panic of `start` must be followed by a restart"
    );
}

async fn it_restarts_as_often_as_needed() {
    let mut starts = 0;
    let supervisor = supervise(policy(), CancellationToken::new(), |_| {
        starts += 1;
        let is_last = starts == 300;
        async move {
            if is_last {
                return Ok(());
            }
            Err("the database is down".into())
        }
    });
    let end = AssertUnwindSafe(supervisor).catch_unwind().await;
    let end = end.expect("the supervisor panicked after many failures");
    assert_eq!(end, End::Finished, "the last run returned Ok");
    assert_eq!(starts, 300, "it gave up");
}

async fn an_aborted_run_has_ended() {
    let (stop, ended) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let supervisor = supervise(policy(), stop.clone(), |_| {
        let flag = Flag(ended.clone());
        async move {
            let _flag = flag;
            pending().await
        }
    });
    let begin = Instant::now();
    let stopped = async {
        sleep(SECOND).await;
        stop.cancel();
    };
    let (end, ()) = tokio::join!(supervisor, stopped);
    let ended = ended.load(Ordering::SeqCst);
    assert_eq!(end, End::Aborted, "the run ignored the stop");
    let took = begin.elapsed().as_secs();
    assert_eq!(took, 11, "a stop after 1 s, and a grace time of 10 s");
    assert!(ended, "the run still existed when the supervisor returned");
}

async fn a_dropped_supervisor_ends_its_run() {
    let ended = Arc::new(AtomicBool::new(false));
    let supervisor = supervise(policy(), CancellationToken::new(), |_| {
        let flag = Flag(ended.clone());
        async move {
            let _flag = flag;
            pending().await
        }
    });
    let canceled = timeout(SECOND, supervisor).await;
    assert!(canceled.is_err(), "its run hangs");
    sleep(SECOND).await;
    let ended = ended.load(Ordering::SeqCst);
    assert!(ended, "the run goes on without its supervisor");
}
