//! `main` waits for its task, but not forever.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

// ANCHOR: main
/// Waits for the mail before it ends, for at most ten seconds: then
/// the runtime drops the task where it is.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mail = tokio::spawn(send_mail());
    // Other work, during which the mail is started.
    sleep(Duration::from_millis(10)).await;
    if let Err(why) = finish(mail).await {
        eprintln!("the mail was not sent: {why}");
    }
    println!("good night");
}

async fn finish(task: JoinHandle<()>) -> Result<(), String> {
    match timeout(Duration::from_secs(10), task).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("there was no answer in time".to_owned()),
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

    #[tokio::test(start_paused = true)]
    async fn owner_gone_after_the_mail_is_sent() {
        assert!(finish(tokio::spawn(send_mail())).await.is_ok());
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_ten_seconds() {
        let start = tokio::time::Instant::now();
        assert!(finish(tokio::spawn(pending())).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_reported() {
        let task = tokio::spawn(async { panic!("no address") });
        let why = finish(task).await.expect_err("it panics");
        assert!(why.contains("no address"), "{why}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_finish_elsewhere() {
        assert!(finish(tokio::spawn(send_mail())).await.is_ok());
    }
}
