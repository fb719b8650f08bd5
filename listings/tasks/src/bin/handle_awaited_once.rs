//! Return the task's result from the arm, so that the loop stops.

use std::time::Duration;

use tokio::{
    task::JoinError,
    time::{interval, sleep},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: watch
/// Prints that an upload is still running, until it has ended.
///
/// The handle is only borrowed, so when a beat wins, nothing is lost,
/// and the next iteration polls it again. Dropping `watch` aborts it.
///
/// # Errors
///
/// The upload panicked or was aborted.
async fn watch(
    mut upload: AbortOnDropHandle<u32>,
) -> Result<u32, JoinError> {
    let mut beat = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            biased;
            // Polled first, so that no beat is printed after the end.
            joined = &mut upload => return joined,
            _ = beat.tick() => println!("still uploading"),
        }
    }
}
// ANCHOR_END: watch

async fn upload(bytes: u32) -> u32 {
    sleep(Duration::from_millis(150)).await;
    assert!(bytes > 0, "an upload of {bytes} bytes");
    bytes
}

fn start(bytes: u32) -> AbortOnDropHandle<u32> {
    AbortOnDropHandle::new(tokio::spawn(upload(bytes)))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match watch(start(2048)).await {
        Ok(bytes) => println!("{bytes} bytes"),
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
    async fn edges_the_result_is_taken_once() {
        let bytes = within(HOUR, watch(start(2048))).await;
        assert_eq!(bytes.expect("no panic"), 2048);
        // A task that ended before anyone asked.
        let upload = start(1);
        sleep(HOUR).await;
        assert_eq!(watch(upload).await.expect("no panic"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_upload_is_returned() {
        let error = watch(start(0)).await.expect_err("it panics");
        assert!(error.to_string().contains("an upload of 0 bytes"));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_upload() {
        at_every_poll(async |cancel| {
            cancel.run(watch(start(2048))).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_result_comes() {
        let bytes = watch(start(2048)).await;
        assert_eq!(bytes.expect("no panic"), 2048);
    }
}
