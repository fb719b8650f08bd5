//! Yield after every month, so that `timeout` can check its clock.

use std::time::Duration;

use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout_at},
};

// ANCHOR: report
/// Can be canceled after any month, but not in the middle of one.
async fn report() -> u64 {
    let mut sum = 0;
    for month in 0..12 {
        sum += month_total(month);
        yield_now().await;
    }
    sum
}
// ANCHOR_END: report

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
        let passed = Instant::now() - Duration::from_secs(1);
        assert!(timeout_at(passed, report()).await.is_err());
        assert_eq!(report().await, (0..12).map(month_total).sum());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_stop_it_the_same_way() {
        let passed = Instant::now() - Duration::from_secs(1);
        let task = tokio::spawn(timeout_at(passed, report()));
        assert!(task.await.expect("no panic").is_err());
    }

    #[tokio::test]
    async fn cancel_stops_between_two_months() {
        let mut polls = 0;
        hazards::at_every_poll(async |cancel| {
            polls = cancel.polls();
            cancel.run(report()).await;
        })
        .await;
        // A poll for each month, and one in which it returns.
        assert_eq!(polls, 13);
    }
}
