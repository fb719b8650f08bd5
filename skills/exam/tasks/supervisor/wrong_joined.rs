//! Fails: a_panic_in_start_is_a_failure, it_restarts_as_often_as_needed
//! Its task is owned and its abort awaited, but a panic of `start` goes through, and the power of two still overflows.

use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

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
        let mut run = AbortOnDropHandle::new(tokio::spawn(start(stop.child_token())));
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
                _ = run.await;
                return End::Aborted;
            }
        }
        let pause = policy.longest.min(policy.first * (1 << failures));
        failures += 1;
        if timeout(pause, stop.cancelled()).await.is_ok() {
            return End::Stopped;
        }
    }
}
