//! The loop ends with the result of the task.

use std::time::Duration;

use tokio::{
    task::{JoinError, JoinHandle},
    time::{interval, sleep},
};

// ANCHOR: watch
/// Tells that an upload is still under way, until it is done.
///
/// The handle is borrowed: when a beat wins, nothing is lost, and the
/// next turn asks the same task. Drop this, and the task goes on.
async fn watch(mut upload: JoinHandle<u32>) -> Result<u32, JoinError> {
    let mut beat = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            joined = &mut upload => return joined,
            _ = beat.tick() => println!("still uploading"),
        }
    }
}
// ANCHOR_END: watch

async fn upload() -> u32 {
    sleep(Duration::from_millis(150)).await;
    2048
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match watch(tokio::spawn(upload())).await {
        Ok(bytes) => println!("{bytes} bytes"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_beat_that_wins_loses_nothing() {
        let bytes = watch(tokio::spawn(upload())).await;
        assert_eq!(bytes.expect("it does not panic"), 2048);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_result_comes_on_many_threads() {
        let bytes = watch(tokio::spawn(upload())).await;
        assert_eq!(bytes.expect("it does not panic"), 2048);
    }
}
