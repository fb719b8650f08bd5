//! A future that gives `timeout` a turn after each month.

use std::time::Duration;

use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout_at},
};

// ANCHOR: report
/// Can be stopped between two months.
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
    async fn it_is_stopped_after_the_first_month() {
        assert!(
            timeout_at(
                Instant::now() - Duration::from_secs(1),
                report()
            )
            .await
            .is_err()
        );
        assert_eq!(report().await, (0..12).map(month_total).sum());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_stopped_on_many_threads() {
        assert!(
            timeout_at(
                Instant::now() - Duration::from_secs(1),
                report()
            )
            .await
            .is_err()
        );
    }
}
