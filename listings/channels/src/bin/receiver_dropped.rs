//! Wrong: the receiver is dropped, and everything in the queue with it.

// ANCHOR: wrong
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, sleep},
};

/// Sends mail until `stop` is sent.
async fn send_mail(
    mut queue: mpsc::Receiver<&'static str>,
    mut stop: oneshot::Receiver<()>,
) -> Vec<&'static str> {
    let mut sent = Vec::new();
    loop {
        tokio::select! {
            biased;
            // Wrong: what is still in the queue is dropped with the
            // receiver, although each `send` returned `Ok`.
            _ = &mut stop => return sent,
            Some(mail) = queue.recv() => {
                sleep(Duration::from_millis(100)).await;
                sent.push(mail);
            }
            else => return sent,
        }
    }
}
// ANCHOR_END: wrong

/// Four mails are accepted, and the stop comes after 150 ms.
async fn run() -> Vec<&'static str> {
    let (mails, queue) = mpsc::channel(8);
    let (stop, stopped) = oneshot::channel();
    let sending = tokio::spawn(send_mail(queue, stopped));
    for mail in ["welcome", "invoice", "receipt", "survey"] {
        mails.send(mail).await.expect("it's accepted");
    }
    sleep(Duration::from_millis(150)).await;
    // Fails only if it has ended already.
    _ = stop.send(());
    sending.await.expect("it doesn't panic")
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
    async fn stop_in_the_middle_of_the_queue() {
        assert_eq!(run().await, ["welcome", "invoice"]);
    }
}
