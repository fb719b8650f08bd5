//! Wrong: a future that never yields never times out.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

// ANCHOR: wrong
/// Wrong: there is no `.await` at which it could be stopped. `timeout`
/// polls it first, and checks the clock only when that poll returns.
async fn report() -> u64 {
    (0..12).map(month_total).sum()
}
// ANCHOR_END: wrong

/// Adds up the sales of a year, month by month.
fn month_total(month: u64) -> u64 {
    (0..1000).map(|sale| sale % (month + 1)).sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let due = Instant::now();
    sleep(Duration::from_millis(5)).await;
    match timeout_at(due, report()).await {
        Ok(sum) => println!("5 ms late, and in time: {sum}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_months_are_stopped_after_the_first() {
        // They aren't: the result counts as in time.
        let passed = Instant::now() - Duration::from_secs(1);
        assert!(timeout_at(passed, report()).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_in_time_on_many_threads() {
        let passed = Instant::now() - Duration::from_secs(1);
        let task = tokio::spawn(timeout_at(passed, report()));
        assert!(task.await.expect("no panic").is_ok());
    }
}
