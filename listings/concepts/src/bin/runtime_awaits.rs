//! `main` waits for its task.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: main
/// Waits for the mail before it ends.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mail = tokio::spawn(send_mail());
    // Other work, in which the mail is begun.
    sleep(Duration::from_millis(10)).await;
    if let Err(error) = mail.await {
        eprintln!("the mail was not sent: {error}");
    }
    println!("good night");
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_mail_is_sent() {
        assert!(tokio::spawn(send_mail()).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_mail_is_sent_on_many_threads() {
        assert!(tokio::spawn(send_mail()).await.is_ok());
    }
}
