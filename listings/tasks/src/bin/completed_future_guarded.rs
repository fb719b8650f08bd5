//! A branch that is switched off when its future has ended.

use std::{pin::pin, time::Duration};

use tokio::time::{interval, sleep};

// ANCHOR: report_and_beat
/// Beats five times, and prints the report when it is there.
async fn report_and_beat() -> u32 {
    let mut report = pin!(write_report());
    let mut is_written = false;
    let mut beat = interval(Duration::from_millis(100));
    let mut beats = 0;
    while beats < 5 {
        tokio::select! {
            biased;
            lines = &mut report, if !is_written => {
                is_written = true;
                println!("{lines} lines");
            }
            _ = beat.tick() => beats += 1,
        }
    }
    beats
}
// ANCHOR_END: report_and_beat

async fn write_report() -> u32 {
    sleep(Duration::from_millis(150)).await;
    42
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match tokio::spawn(report_and_beat()).await {
        Ok(beats) => println!("{beats} beats"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_beating() {
        assert_eq!(report_and_beat().await, 5);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_goes_on_beating_on_many_threads() {
        let beats = tokio::spawn(report_and_beat()).await;
        assert_eq!(beats.expect("it does not panic"), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fused_future_that_has_ended_is_pending() {
        use futures::FutureExt;
        let mut report = pin!(write_report().fuse());
        assert_eq!((&mut report).await, 42);
        assert!(futures::poll!(report).is_pending());
    }
}
