//! Drop the last sender, so that the loop finishes.

// ANCHOR: report
use tokio::{sync::mpsc, task::JoinError};
use tokio_util::task::JoinMap;

/// Each till reports its sales; the report is the sum.
///
/// The error contains the number of a till that panicked, because the
/// sum would be too small. Waits for the slowest till, so put a
/// `timeout` around it. If it's dropped, the tills are aborted.
async fn report(numbers: &[u32]) -> Result<u32, (u32, JoinError)> {
    let (till, mut takings) = mpsc::channel(8);
    let mut tills = JoinMap::new();
    for &number in numbers {
        tills.spawn(number, count(number, till.clone()));
    }
    drop(till); // Otherwise, the channel never closes.
    let mut sum = 0;
    while let Some(taken) = takings.recv().await {
        sum += taken;
    }
    // All senders are dropped: by tasks that returned, or panicked.
    while let Some((number, counted)) = tills.join_next().await {
        counted.map_err(|error| (number, error))?;
    }
    Ok(sum)
}
// ANCHOR_END: report

async fn count(number: u32, till: mpsc::Sender<u32>) {
    let taken = number.checked_mul(100).expect("the sum fits");
    // Fails only if the report was dropped.
    _ = till.send(taken).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match report(&[1, 2, 3]).await {
        Ok(sum) => println!("the report is {sum}"),
        Err((till, error)) => println!("till {till}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_last_sender() {
        let sum = within(HOUR, report(&[1, 2, 3])).await;
        assert_eq!(sum.expect("no panic"), 600);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_every_till() {
        for _ in 0..100 {
            let sum = report(&[1, 2, 3]).await;
            assert_eq!(sum.expect("no panic"), 600);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_till_behind() {
        at_every_poll(async |cancel| {
            cancel.run(report(&[1, 2, 3])).await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_till_is_no_smaller_sum() {
        let broken = u32::MAX;
        for numbers in [[broken, 1, 2], [1, broken, 2], [1, 2, broken]]
        {
            let (till, error) =
                report(&numbers).await.expect_err("it panics");
            assert_eq!(till, broken);
            assert!(error.to_string().contains("the sum fits"));
            no_task_left().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_till_and_more_than_there_is_room_for() {
        assert_eq!(report(&[]).await.expect("no panic"), 0);
        let many: Vec<_> = (0..20).collect();
        assert_eq!(report(&many).await.expect("no panic"), 19_000);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_report_ends_the_tills() {
        let report = tokio::spawn(report(&[1, 2, 3]));
        tokio::task::yield_now().await;
        report.abort();
        no_task_left().await;
    }
}
