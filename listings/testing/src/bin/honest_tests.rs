//! Await everything that a test starts, so that a panic fails it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::{runtime::Builder, time::sleep};

/// The code under test: the discount is forgotten.
async fn total(prices: &[u32]) -> u32 {
    sleep(Duration::from_millis(5)).await;
    prices.iter().sum()
}

async fn check() {
    assert_eq!(total(&[1000, 300]).await, 1250);
}

// ANCHOR: honest
use futures::future::join_all;
use tokio::task::JoinSet;

/// The handle returns the panic, and `expect` passes it on.
async fn a_task_panics() {
    tokio::spawn(check()).await.expect("the task does not panic");
}

/// Waits for the tasks. `JoinSet::join_all` panics if one of them
/// panicked.
async fn a_task_is_cut_off() {
    let mut tasks = JoinSet::new();
    tasks.spawn(check());
    tasks.join_all().await;
}

/// Awaits each future, and counts the results.
async fn never_awaited() {
    let checks = (0..3).map(|_| check());
    assert_eq!(join_all(checks).await.len(), 3);
}
// ANCHOR_END: honest

/// Runs a test as `#[tokio::test]` does.
fn verdict(test: impl Future<Output = ()>) -> &'static str {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("it needs no sockets");
    let run = AssertUnwindSafe(|| runtime.block_on(test));
    match catch_unwind(run) {
        Ok(()) => "ok",
        Err(_) => "FAILED",
    }
}

fn verdicts() -> [(&'static str, &'static str); 3] {
    [
        ("a_task_panics", verdict(a_task_panics())),
        ("a_task_is_cut_off", verdict(a_task_is_cut_off())),
        ("never_awaited", verdict(never_awaited())),
    ]
}

fn main() {
    // The verdict says what panicked, so the hook needn't.
    std::panic::set_hook(Box::new(|_| ()));
    for (test, verdict) in verdicts() {
        println!("test {test} ... {verdict}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_and_the_verdict_of_each_test() {
        for (test, verdict) in verdicts() {
            assert_eq!(verdict, "FAILED", "{test}");
        }
    }

    #[test]
    fn panic_of_any_task_of_a_set_fails_the_test() {
        for panicking in hazards::some_panic(5) {
            let test = async move {
                let mut tasks = JoinSet::new();
                for task in 0..5 {
                    let panics = panicking.contains(&task);
                    tasks.spawn(async move { assert!(!panics) });
                }
                tasks.join_all().await;
            };
            assert_eq!(verdict(test), "FAILED");
        }
    }

    #[test]
    fn where_the_code_is_right_they_pass() {
        assert_eq!(verdict(async {}), "ok");
    }
}
