//! Hints, deadlines, permits, and unusual policies.

use super::solution::{Failure, Policy, retry};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

exam::tests! {
    paused until_it_succeeds_or_cannot,
    paused pauses_grow_and_are_random,
    paused a_hint_is_the_least_pause,
    paused the_total_limit_covers_all,
    paused the_last_real_error_is_returned,
    paused a_pause_holds_no_permit,
    paused any_policy_is_safe,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Policy {
    Policy {
        attempts: 5,
        attempt_limit: seconds(10),
        total_limit: seconds(1000),
        base: seconds(1),
        longest: seconds(60),
    }
}

fn transient<T>(error: u32) -> Result<T, Failure<u32>> {
    Err(Failure::Transient {
        error,
        retry_after: None,
    })
}

/// Calls a service that fails at once, every time. Returns when each attempt started.
async fn attempts(policy: &Policy, retry_after: Option<Duration>) -> Vec<Duration> {
    let (start, times) = (Instant::now(), RefCell::new(Vec::new()));
    let call = async || {
        times.borrow_mut().push(start.elapsed());
        Err::<(), _>(Failure::Transient {
            error: times.borrow().len(),
            retry_after,
        })
    };
    let ended = retry(policy, &Semaphore::new(1), call).await;
    let times = times.into_inner();
    let expected = Some(times.len()).filter(|it| *it > 0);
    assert_eq!(ended, Err(expected), "the last error");
    times
}

async fn until_it_succeeds_or_cannot() {
    let (calls, count) = (Semaphore::new(1), Cell::new(0));
    let succeeds = async || {
        count.set(count.get() + 1);
        if count.get() < 4 {
            transient(count.get())
        } else {
            Ok("done")
        }
    };
    assert_eq!(
        retry(&policy(), &calls, succeeds).await,
        Ok("done"),
        "the fourth succeeds"
    );
    assert_eq!(count.take(), 4, "attempts");

    let cannot = async || {
        count.set(count.get() + 1);
        Err::<(), _>(Failure::Permanent(7))
    };
    assert_eq!(
        retry(&policy(), &calls, cannot).await,
        Err(Some(7)),
        "it's permanent"
    );
    assert_eq!(count.take(), 1, "attempts after a permanent error");
    assert_eq!(attempts(&policy(), None).await.len(), 5, "attempts of five");
}

async fn pauses_grow_and_are_random() {
    let policy = Policy {
        attempts: 12,
        ..policy()
    };
    let (one, other) = (attempts(&policy, None).await, attempts(&policy, None).await);
    let same = one
        .iter()
        .zip(&other)
        .skip(1)
        .filter(|(one, other)| one == other);
    assert!(
        same.count() < 3,
        "two clients come back at the same times: {one:?} {other:?}"
    );
    let mut nominal = policy.base;
    for times in one.windows(2) {
        let pause = times[1] - times[0];
        assert!(
            pause <= nominal * 2,
            "a pause of {pause:?} instead of {nominal:?}"
        );
        nominal = (nominal * 2).min(policy.longest);
    }
    let total = one[one.len() - 1];
    assert!(total > seconds(20), "the pauses don't grow: {one:?}");
}

async fn a_hint_is_the_least_pause() {
    let times = attempts(&policy(), Some(seconds(100))).await;
    assert_eq!(times.len(), 5, "attempts, which fit into the limit");
    for times in times.windows(2) {
        let pause = (times[1] - times[0]).as_secs_f64();
        assert!(
            pause >= 99.99,
            "the service asked for 100 s, and was called after {pause} s"
        );
        assert!(
            pause <= 200.0,
            "the service asked for 100 s, and was called after {pause} s"
        );
    }
    // One that's longer than the time that is left.
    let start = Instant::now();
    let times = attempts(&policy(), Some(seconds(1500))).await;
    assert_eq!(
        times.len(),
        1,
        "attempts, though the service asked for more than the limit"
    );
    assert!(
        start.elapsed() < seconds(1),
        "it waited though no attempt could follow"
    );
}

/// Counts the attempts that are still there.
struct Alive<'a>(&'a Cell<u32>);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

async fn the_total_limit_covers_all() {
    let policy = Policy {
        total_limit: seconds(25),
        ..policy()
    };
    let (calls, alive) = (Semaphore::new(1), Cell::new(0));
    let silent = async || {
        alive.set(alive.get() + 1);
        assert_eq!(alive.get(), 1, "an attempt runs beside another one");
        let _alive = Alive(&alive);
        pending::<()>().await;
        transient::<()>(1)
    };
    let start = Instant::now();
    assert_eq!(
        retry(&policy, &calls, silent).await,
        Err(None),
        "no attempt returned an error"
    );
    let passed = start.elapsed();
    assert!(
        passed < seconds(25) + seconds(1) / 10,
        "it took {passed:?}, and 25 s are the limit"
    );
    assert!(
        passed > seconds(20),
        "it took {passed:?}, and attempts were still possible"
    );
    assert_eq!(
        (alive.get(), calls.available_permits()),
        (0, 1),
        "attempts and permits"
    );

    // Others hold the permits.
    let _others = calls.acquire().await.expect("it's never closed");
    let start = Instant::now();
    let called = async || Ok::<_, Failure<u32>>("called without a permit");
    assert_eq!(
        retry(&policy, &calls, called).await,
        Err(None),
        "there was no permit"
    );
    let passed = start.elapsed();
    assert!(
        passed < seconds(26),
        "it took {passed:?}, and 25 s are the limit"
    );
}

async fn the_last_real_error_is_returned() {
    let count = Cell::new(0);
    let fails_then_hangs = async || {
        count.set(count.get() + 1);
        if count.get() > 2 {
            pending::<()>().await;
        }
        transient::<()>(count.get())
    };
    let policy = Policy {
        total_limit: seconds(30),
        ..policy()
    };
    let ended = retry(&policy, &Semaphore::new(1), fails_then_hangs).await;
    assert_eq!(
        ended,
        Err(Some(2)),
        "the second error, and no answer after it"
    );
}

async fn a_pause_holds_no_permit() {
    let (calls, count) = (Semaphore::new(1), Cell::new(0));
    let call = async || {
        count.set(count.get() + 1);
        assert_eq!(calls.available_permits(), 0, "an attempt has no permit");
        sleep(seconds(1)).await;
        if count.get() < 3 {
            transient(1)
        } else {
            Ok("done")
        }
    };
    let policy = Policy {
        base: seconds(60),
        ..policy()
    };
    let start = Instant::now();
    let others = async {
        let mut free = 0;
        while count.get() < 3 {
            sleep(seconds(1) / 100).await;
            free += calls.available_permits();
        }
        free
    };
    let (ended, free) = tokio::join!(retry(&policy, &calls, call), others);
    assert_eq!(ended, Ok("done"), "the third succeeds");
    let busy = start.elapsed().as_secs_f64() - free as f64 / 100.0;
    assert!(
        busy < 4.0,
        "the permit was held for {busy} s, and three attempts take 3 s"
    );
    assert_eq!(calls.available_permits(), 1, "the permit is gone");
}

async fn any_policy_is_safe() {
    const MAX: Duration = Duration::MAX;
    let endless = Policy {
        attempts: u32::MAX,
        attempt_limit: MAX,
        total_limit: MAX,
        base: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let count = Cell::new(0);
    let late = async || {
        count.set(count.get() + 1);
        if count.get() < 200 {
            transient(1)
        } else {
            Ok("done")
        }
    };
    let ended = retry(&endless, &Semaphore::new(1), late).await;
    assert_eq!(ended, Ok("done"), "it succeeds, and there's no limit");

    let never = Policy {
        base: MAX,
        longest: MAX,
        ..policy()
    };
    let start = Instant::now();
    let tried = attempts(&never, None).await.len();
    assert!(tried >= 1, "no attempt, because of a long pause after it");
    assert!(
        start.elapsed() < seconds(1001),
        "it took longer than its limit"
    );
    assert_eq!(
        attempts(&policy(), Some(MAX)).await.len(),
        1,
        "attempts with a hint of MAX"
    );

    let hasty = Policy {
        base: Duration::ZERO,
        longest: Duration::ZERO,
        ..policy()
    };
    assert_eq!(
        attempts(&hasty, None).await.len(),
        5,
        "attempts without pauses"
    );
    let short = Policy {
        base: seconds(900),
        ..policy()
    };
    assert_eq!(
        attempts(&short, None).await.len(),
        5,
        "attempts, with `base` above `longest`"
    );
    let none = Policy {
        attempts: 0,
        ..policy()
    };
    assert_eq!(attempts(&none, None).await.len(), 0, "attempts of none");
}
