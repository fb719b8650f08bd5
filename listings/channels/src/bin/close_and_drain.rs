//! The queue is closed first, and then emptied.

// ANCHOR: send_mail
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, sleep},
};

/// Sends mail until it is told to stop, and then what it accepted.
async fn send_mail(
    mut queue: mpsc::Receiver<&'static str>,
    mut stop: oneshot::Receiver<()>,
) -> Vec<&'static str> {
    let mut sent = Vec::new();
    loop {
        tokio::select! {
            biased;
            // No more is accepted; `send` fails from now on. What is
            // in the queue still comes, and `None` after it.
            _ = &mut stop, if !queue.is_closed() => queue.close(),
            mail = queue.recv() => match mail {
                Some(mail) => {
                    sleep(Duration::from_millis(100)).await;
                    sent.push(mail);
                }
                None => return sent,
            },
        }
    }
}
// ANCHOR_END: send_mail

/// Four mails are accepted, and after 150 ms it is told to stop.
async fn run() -> Vec<&'static str> {
    let (mails, queue) = mpsc::channel(8);
    let (stop, stopped) = oneshot::channel();
    let sending = tokio::spawn(send_mail(queue, stopped));
    for mail in ["welcome", "invoice", "receipt", "survey"] {
        mails.send(mail).await.expect("it is accepted");
    }
    sleep(Duration::from_millis(150)).await;
    // Fails only where it has ended by itself.
    let _ = stop.send(());
    sending.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("accepted: 4");
    println!("sent:     {:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_accepted_is_sent() {
        let accepted = ["welcome", "invoice", "receipt", "survey"];
        assert_eq!(run().await, accepted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_queue_accepts_nothing() {
        let (mails, queue) = mpsc::channel(8);
        let (stop, stopped) = oneshot::channel();
        stop.send(()).expect("it is listened to");
        let sending = tokio::spawn(send_mail(queue, stopped));
        mails.closed().await;
        assert!(mails.send("too late").await.is_err());
        assert_eq!(sending.await.expect("no panic"), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_whoever_holds_a_permit() {
        let (mails, mut queue) = mpsc::channel(8);
        let room = mails.reserve().await.expect("it is open");
        queue.close();
        let limit = std::time::Duration::from_secs(86_400);
        let waited = tokio::time::timeout(limit, queue.recv()).await;
        assert!(waited.is_err());
        room.send("promised");
        assert_eq!(queue.recv().await, Some("promised"));
        assert_eq!(queue.recv().await, None);
    }
}
