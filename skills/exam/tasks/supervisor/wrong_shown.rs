//! Fails: a_panic_in_start_is_a_failure, it_restarts_as_often_as_needed, an_aborted_run_has_ended, a_dropped_supervisor_ends_its_run
//! `start` panics in the supervisor; the power of two overflows after 32 failures; the abort isn't awaited; a dropped handle detaches.

use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub struct Policy {
    pub first: Duration,
    pub longest: Duration,
    pub healthy: Duration,
    pub grace: Duration,
}

#[derive(Debug, PartialEq)]
pub enum End {
    Finished,
    Stopped,
    Aborted,
}

pub async fn supervise<F, Fut>(policy: Policy, stop: CancellationToken, mut start: F) -> End
where
    F: FnMut(CancellationToken) -> Fut,
    Fut: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let mut run = tokio::spawn(start(stop.child_token()));
        tokio::select! {
            ended = &mut run => match ended {
                Ok(Ok(())) => return End::Finished,
                _ if started.elapsed() >= policy.healthy => failures = 0,
                _ => {}
            },
            () = stop.cancelled() => {
                if timeout(policy.grace, &mut run).await.is_ok() {
                    return End::Stopped;
                }
                run.abort();
                return End::Aborted;
            }
        }
        let pause = policy.longest.min(policy.first * 2u32.pow(failures));
        failures += 1;
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return End::Stopped,
        }
    }
}
