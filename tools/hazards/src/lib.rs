//! What a program must survive before the book recommends it, as helpers for the listings' tests: a cancellation at every
//! poll, panics, and peers that are silent, slow, or broken.
//!
//! All of it works on Tokio's paused clock (`#[tokio::test(start_paused = true)]`), so an hour of silence takes no time.

mod cancel;
mod io;

pub use cancel::{Cancel, at_every_poll};
pub use io::{Failing, Silent, Slow};

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time;

/// How long a silent peer says nothing.
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// Waits until no spawned task of this runtime is alive, at most a minute.
///
/// # Panics
///
/// A task is still alive after that: nobody owns it.
pub async fn no_task_left() {
    let metrics = Handle::current().metrics();
    let end = time::Instant::now() + Duration::from_secs(60);
    while metrics.num_alive_tasks() > 0 {
        assert!(
            time::Instant::now() < end,
            "{} tasks are still alive after a minute",
            metrics.num_alive_tasks()
        );
        time::sleep(Duration::from_millis(1)).await;
    }
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
    #[should_panic(expected = "1 tasks are still alive")]
    async fn a_detached_task_is_found() {
        drop(tokio::spawn(future::pending::<()>()));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_have_time_to_end() {
        drop(tokio::spawn(time::sleep(Duration::from_secs(30))));
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
