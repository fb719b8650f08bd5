//! The pause is doubled with saturation, `start` is called where its panic is caught, and an `AbortOnDropHandle` owns the run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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
    let mut pause = policy.first;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let run = catch_unwind(AssertUnwindSafe(|| start(stop.child_token())));
        let run = async { run.unwrap_or_else(|panic| resume_unwind(panic)).await };
        let mut run = AbortOnDropHandle::new(tokio::spawn(run));
        tokio::select! {
            ended = &mut run => if let Ok(Ok(())) = ended {
                return End::Finished;
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
        if started.elapsed() >= policy.healthy {
            pause = policy.first;
        }
        if timeout(pause, stop.cancelled()).await.is_ok() {
            break;
        }
        pause = pause.saturating_mul(2).min(policy.longest);
    }
    End::Stopped
}
