//! When a failed delivery is attempted again, and when it's given up.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use crate::{
    config::Retry, deliver::Answer, event::Lease, store::Outcome,
};

/// A retry that the budget doesn't cover waits as if it were so many
/// attempts later: sixteen times as long.
const UNCOVERED: u32 = 4;

/// How long to wait after a failed attempt (from 1): a random time
/// below a bound that doubles, but not less than the receiver asks for.
/// Neither is longer than `retry.most`.
// ANCHOR: delay
pub fn delay(
    retry: &Retry,
    attempt: u32,
    retry_after: Option<Duration>,
    random: &mut fastrand::Rng,
) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    let bound = retry.first.saturating_mul(doubled).min(retry.most);
    let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let jittered = Duration::from_nanos(random.u64(0..=bound));
    jittered.max(retry_after.unwrap_or_default().min(retry.most))
}
// ANCHOR_END: delay

// ANCHOR: verdict
/// What an answer means for a delivery. `covered` says whether the
/// destination's retry budget had room for this attempt.
pub fn verdict(
    answer: Answer,
    lease: &Lease,
    retry: &Retry,
    covered: bool,
    random: &mut fastrand::Rng,
) -> Outcome {
    let (error, retry_after) = match answer {
        Answer::Delivered => return Outcome::Delivered,
        Answer::Refused { status: StatusCode::GONE, .. } => {
            let error = "the receiver answered 410 Gone".into();
            return Outcome::Dead { error };
        }
        Answer::Refused { status, retry_after } => {
            (format!("the receiver answered {status}"), retry_after)
        }
        Answer::Failed(error) => (error, None),
    };
    if lease.attempt >= retry.attempts {
        return Outcome::Dead { error };
    }
    let later = if covered { 0 } else { UNCOVERED };
    let attempt = lease.attempt.saturating_add(later);
    let after = delay(retry, attempt, retry_after, random);
    Outcome::Retry { after, error }
}
// ANCHOR_END: verdict

// ANCHOR: given_up
/// Whether to give up before another attempt: the event is too old, or
/// a process died in every attempt so far.
pub fn given_up(lease: &Lease, retry: &Retry) -> Option<Outcome> {
    let error = if lease.age >= retry.max_age {
        format!("the event is older than {:?}", retry.max_age)
    } else if lease.attempt > retry.attempts.max(1) {
        format!("{} attempts had no outcome", lease.attempt - 1)
    } else {
        return None;
    };
    Some(Outcome::Dead { error })
}
// ANCHOR_END: given_up

/// Long enough that nobody sees its end, and short enough that no clock
/// overflows.
pub(crate) const CENTURY: Duration =
    Duration::from_secs(100 * 365 * 86_400);

/// The time after `wait`, but at most a century later.
pub(crate) fn later(start: Instant, wait: Duration) -> Instant {
    start + wait.min(CENTURY)
}
