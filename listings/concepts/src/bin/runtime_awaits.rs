//! Wait for the task before `main` returns, with a timeout.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: main
/// Waits until the mail is sent, for at most ten seconds.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mail = AbortOnDropHandle::new(tokio::spawn(send_mail()));
    // Other work. Meanwhile, the mail task starts.
    sleep(Duration::from_millis(10)).await;
    if let Err(why) = finish(mail).await {
        eprintln!("the mail was not sent: {why}");
    }
    println!("good night");
}

/// Waits for at most ten seconds, then aborts the task. If this is
/// canceled, the task is aborted as well.
async fn finish(task: AbortOnDropHandle<()>) -> Result<(), String> {
    match timeout(Duration::from_secs(10), task).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it took more than ten seconds".to_owned()),
    }
}
// ANCHOR_END: main

/// Sends a mail, which takes 100 ms.
async fn send_mail() {
    println!("sending");
    sleep(Duration::from_millis(100)).await;
    println!("sent");
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn spawn<F>(task: F) -> AbortOnDropHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        AbortOnDropHandle::new(tokio::spawn(task))
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_after_the_mail_is_sent() {
        assert!(finish(spawn(send_mail())).await.is_ok());
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_ten_seconds() {
        let start = tokio::time::Instant::now();
        assert!(finish(spawn(pending())).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(finish(spawn(pending()))).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_reported() {
        let task = spawn(async { panic!("no address") });
        let why = finish(task).await.expect_err("it panics");
        assert!(why.contains("no address"), "{why}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_finish_elsewhere() {
        assert!(finish(spawn(send_mail())).await.is_ok());
    }
}
