//! What a program must survive before the book recommends it, as helpers for the listings' tests: a cancellation at every
//! poll, panics, and peers that are silent, slow, or broken.
//!
//! All of it works on Tokio's paused clock (`#[tokio::test(start_paused = true)]`), so an hour of silence takes no time.

mod cancel;
mod io;
mod unread;

pub use cancel::{Cancel, at_every_poll};
pub use io::{Failing, Silent, Slow};
pub use unread::{is_unread, succeeds_unread, succeeds_without_stderr};

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time;

/// How long a silent peer says nothing.
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// Waits until no spawned task of this runtime is alive: as long as an abort takes, so that a task that would finish by itself is found,
/// too. That is two milliseconds of a paused clock, and some seconds of real time, where a busy machine is slow.
///
/// # Panics
///
/// A task is still alive after that: nobody owns it.
pub async fn no_task_left() {
    let limit = match is_paused() {
        true => Duration::from_millis(2),
        false => Duration::from_secs(5),
    };
    no_task_left_after(limit).await;
}

/// Waits until no spawned task of this runtime is alive, but no longer than `limit`: for tasks that are meant to finish by themselves.
///
/// # Panics
///
/// A task is still alive after that: nobody owns it.
pub async fn no_task_left_after(limit: Duration) {
    let metrics = Handle::current().metrics();
    let end = time::Instant::now() + limit;
    while metrics.num_alive_tasks() > 0 {
        assert!(
            time::Instant::now() <= end,
            "tasks still alive after {limit:?}: {}",
            metrics.num_alive_tasks()
        );
        time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether this runtime's clock is paused: it stands still while real time passes.
fn is_paused() -> bool {
    let (real, clock) = (std::time::Instant::now(), time::Instant::now());
    while real.elapsed() < Duration::from_micros(1) {}
    time::Instant::now() == clock
}

/// Waits for a future, but no longer than `limit`.
///
/// # Panics
///
/// The future didn't complete in time.
pub async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
    match time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("still waiting after {limit:?}"),
    }
}

/// Which of `count` jobs panic, by index, one case after the other: the first, one in the middle, the last, all of them.
pub fn some_panic(count: usize) -> Vec<Vec<usize>> {
    let mut cases: Vec<Vec<usize>> = Vec::new();
    if let Some(last) = count.checked_sub(1) {
        cases.extend([vec![0], vec![count / 2], vec![last], (0..count).collect()]);
        cases.dedup();
    }
    cases
}

/// Calls `test` with the seeds from 0, and says which seed a failure belongs to.
///
/// # Panics
///
/// A call panicked.
pub fn each_seed(rounds: u64, mut test: impl FnMut(u64)) {
    for seed in 0..rounds {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("failed with seed {seed}");
            panic::resume_unwind(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future;

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "tasks still alive after 2ms: 1")]
    async fn a_detached_task_is_found_although_it_would_finish() {
        drop(tokio::spawn(time::sleep(Duration::from_millis(20))));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_aborted_task_is_no_task_left() {
        tokio::spawn(future::pending::<()>()).abort();
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_finish_have_the_time_that_the_test_gives_them() {
        let half_a_minute = Duration::from_secs(30);
        drop(tokio::spawn(time::sleep(half_a_minute)));
        no_task_left_after(2 * half_a_minute).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_real_time_an_abort_may_take_longer() {
        assert!(!is_paused());
        drop(tokio::spawn(time::sleep(Duration::from_millis(50))));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "still waiting after 3600s")]
    async fn waiting_forever_is_found() {
        within(HOUR, future::pending::<()>()).await;
    }

    #[test]
    fn first_middle_last_and_all_panic() {
        assert_eq!(some_panic(4), [vec![0], vec![2], vec![3], vec![0, 1, 2, 3]]);
        assert_eq!(some_panic(1), [[0]]);
        assert!(some_panic(0).is_empty());
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_seed_that_fails_ends_the_test() {
        each_seed(10, |seed| assert_ne!(seed, 7, "seven"));
    }
}
