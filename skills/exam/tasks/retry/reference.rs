//! One timeout over each attempt and its permit, cut to what's left; saturating arithmetic; a pause without a permit.

use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

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
    let start = Instant::now();
    let left = || policy.total_limit.saturating_sub(start.elapsed());
    let mut last = None;
    let mut pause = policy.base.min(policy.longest);
    for attempt in 1..=policy.attempts {
        let Ok(permit) = timeout(left(), calls.acquire()).await else {
            break;
        };
        let ended = timeout(policy.attempt_limit.min(left()), call()).await;
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
        // Between half and the whole of the pause, or that much more than the service asks for.
        let random = pause.mul_f64(fastrand::f64() / 2.0);
        let wait = least.max(pause / 2).saturating_add(random);
        if attempt == policy.attempts || wait >= left() {
            break;
        }
        sleep(wait).await;
        pause = pause.saturating_mul(2).min(policy.longest);
    }
    Err(last)
}
