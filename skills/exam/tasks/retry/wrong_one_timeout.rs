//! Fails: a_hint_is_the_least_pause, the_last_real_error_is_returned, any_policy_is_safe
//! One timeout over everything: it drops the last error, and waits though no attempt can follow.

use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub enum Failure<E> {
    Permanent(E),
    Transient {
        error: E,
        retry_after: Option<Duration>,
    },
}

pub struct Policy {
    pub attempts: u32,
    pub attempt_limit: Duration,
    pub total_limit: Duration,
    pub base: Duration,
    pub longest: Duration,
}

pub async fn retry<T, E, F>(
    policy: &Policy,
    calls: &Semaphore,
    mut call: impl FnMut() -> F,
) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, Failure<E>>>,
{
    let tries = async {
        let mut last = None;
        let mut pause = policy.base.min(policy.longest);
        for attempt in 1..=policy.attempts {
            let permit = calls.acquire().await.expect("it's never closed");
            let ended = timeout(policy.attempt_limit, call()).await;
            drop(permit);
            let mut least = Duration::ZERO;
            match ended {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Failure::Permanent(error))) => return Err(Some(error)),
                Ok(Err(Failure::Transient { error, retry_after })) => {
                    last = Some(error);
                    least = retry_after.unwrap_or_default();
                }
                Err(_) => {}
            }
            if attempt < policy.attempts {
                let random = pause.mul_f64(fastrand::f64() / 2.0);
                sleep(least.max(pause / 2).saturating_add(random)).await;
                pause = pause.saturating_mul(2).min(policy.longest);
            }
        }
        Err(last)
    };
    timeout(policy.total_limit, tries)
        .await
        .unwrap_or(Err(None))
}
