//! Disable the branch when its future has completed.

use std::{pin::pin, time::Duration};

use tokio::time::{interval, sleep};

// ANCHOR: report_and_beat
/// Beats five times while it writes the report. If the report isn't
/// ready by then, it's dropped. If it panics, the beats stop, too.
async fn report_and_beat(
    report: impl Future<Output = u32>,
) -> (u32, Option<u32>) {
    let mut report = pin!(report);
    let mut written = None;
    let mut beat = interval(Duration::from_millis(100));
    let mut beats = 0;
    while beats < 5 {
        tokio::select! {
            biased;
            // Beats come first so that a busy report can't starve them.
            _ = beat.tick() => beats += 1,
            lines = &mut report, if written.is_none() => {
                written = Some(lines);
                println!("{lines} lines");
            }
        }
    }
    (beats, written)
}
// ANCHOR_END: report_and_beat

async fn write_report() -> u32 {
    sleep(Duration::from_millis(150)).await;
    42
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match tokio::spawn(report_and_beat(write_report())).await {
        Ok((beats, _)) => println!("{beats} beats"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn edges_a_completed_future_is_not_polled_again() {
        let beats = tokio::spawn(report_and_beat(write_report()));
        let ended = within(HOUR, beats).await.expect("no panic");
        assert_eq!(ended, (5, Some(42)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_any_poll_is_fine() {
        at_every_poll(async |cancel| {
            cancel.run(report_and_beat(write_report())).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    /// A report that uses up the task's budget in every poll.
    #[tokio::test(start_paused = true)]
    async fn slow_reports_starve_no_beat() {
        let busy = async {
            for _ in 0..100_000 {
                tokio::task::coop::consume_budget().await;
            }
            42
        };
        let time_passes = tokio::spawn(async {
            loop {
                tokio::time::advance(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(report_and_beat(busy).await, (5, None));
        time_passes.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_beating() {
        let beats = tokio::spawn(report_and_beat(write_report())).await;
        assert_eq!(beats.expect("no panic"), (5, Some(42)));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_fused_future_that_has_completed_is_pending() {
        use futures::FutureExt;
        let mut report = pin!(write_report().fuse());
        assert_eq!((&mut report).await, 42);
        assert!(futures::poll!(report).is_pending());
    }

    #[tokio::test]
    #[should_panic(expected = "called after complete")]
    async fn a_receiver_of_a_oneshot_panics_the_second_time() {
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        sender.send(1).expect("it is received");
        assert_eq!((&mut receiver).await, Ok(1));
        assert_eq!((&mut receiver).await, Ok(1));
    }
}
