//! Wrong: three tests that pass, whatever the code does.

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

// ANCHOR: wrong
/// The check in each of the tests. It panics whenever it runs.
async fn check() {
    assert_eq!(total(&[1000, 300]).await, 1250);
}

/// Wrong: the panic is in the handle, which the test never checks.
async fn a_task_panics() {
    let task = tokio::spawn(check());
    while !task.is_finished() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Wrong: the test returns first, and its runtime drops the task.
async fn a_task_is_cut_off() {
    tokio::spawn(check());
}

/// Wrong: three futures are created and counted, but not awaited.
async fn never_awaited() {
    let checks: Vec<_> = (0..3).map(|_| check()).collect();
    assert_eq!(checks.len(), 3);
}
// ANCHOR_END: wrong

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
            assert_eq!(verdict, "ok", "{test}");
        }
    }

    #[test]
    fn awaited_it_fails() {
        assert_eq!(verdict(check()), "FAILED");
    }
}
