//! Fails: any_policy_is_safe
//! A deadline that an `Instant` can't hold, a power that overflows, and an empty range for the random number.

use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

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
    let deadline = Instant::now() + policy.total_limit;
    let mut last = None;
    for attempt in 0..policy.attempts {
        let Ok(permit) = timeout_at(deadline, calls.acquire()).await else {
            break;
        };
        let end = deadline.min(Instant::now() + policy.attempt_limit);
        let ended = timeout_at(end, call()).await;
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
        let pause = (policy.base * 2u32.pow(attempt)).min(policy.longest);
        let pause = pause.as_millis() as u64;
        let wait = least + Duration::from_millis(fastrand::u64(pause / 2..pause));
        if attempt + 1 == policy.attempts || Instant::now() + wait >= deadline {
            break;
        }
        sleep(wait).await;
    }
    Err(last)
}
