//! Wrong: a future that has completed is polled again.

use std::{pin::pin, time::Duration};

use tokio::time::{interval, sleep};

// ANCHOR: wrong
/// Wrong: `&mut report` is still polled after it has completed. A
/// future must not be polled after it has returned its result.
async fn report_and_beat() -> u32 {
    let mut report = pin!(write_report());
    let mut beat = interval(Duration::from_millis(100));
    let mut beats = 0;
    while beats < 5 {
        tokio::select! {
            lines = &mut report => println!("{lines} lines"),
            _ = beat.tick() => beats += 1,
        }
    }
    beats
}
// ANCHOR_END: wrong

async fn write_report() -> u32 {
    sleep(Duration::from_millis(150)).await;
    42
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // In a separate task, to see how it ends.
    match tokio::spawn(report_and_beat()).await {
        Ok(beats) => println!("{beats} beats"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_a_completed_future_is_not_polled_again() {
        // The mistake: it is, and it panics.
        let joined = tokio::spawn(report_and_beat()).await;
        let error = joined.expect_err("it panics");
        assert!(error.to_string().contains("resumed after completion"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_panics_on_many_threads() {
        let joined = tokio::spawn(report_and_beat()).await;
        assert!(joined.expect_err("it panics").is_panic());
    }
}
