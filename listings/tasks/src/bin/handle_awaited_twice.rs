//! Wrong: the result of a task is awaited twice.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{interval, sleep},
};

// ANCHOR: wrong
/// Wrong: the handle returned its result in the loop, and is polled
/// again after the loop.
async fn watch(mut upload: JoinHandle<u32>) -> u32 {
    let mut beat = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            _ = &mut upload => break,
            _ = beat.tick() => println!("still uploading"),
        }
    }
    upload.await.expect("an upload does not panic")
}
// ANCHOR_END: wrong

async fn upload() -> u32 {
    sleep(Duration::from_millis(150)).await;
    2048
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let task = tokio::spawn(watch(tokio::spawn(upload())));
    match task.await {
        Ok(bytes) => println!("{bytes} bytes"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_the_result_is_taken_once() {
        // The mistake: it is taken twice, and that panics.
        let task = tokio::spawn(watch(tokio::spawn(upload())));
        let error = task.await.expect_err("it panics").to_string();
        assert!(error.contains("polled after completion"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_panics_on_many_threads() {
        let task = tokio::spawn(watch(tokio::spawn(upload())));
        assert!(task.await.expect_err("it panics").is_panic());
    }
}
