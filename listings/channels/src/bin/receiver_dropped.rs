//! Wrong: the receiver is dropped, and the queue with it.

// ANCHOR: wrong
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, sleep},
};

/// Sends mail until it is told to stop.
async fn send_mail(
    mut queue: mpsc::Receiver<&'static str>,
    mut stop: oneshot::Receiver<()>,
) -> Vec<&'static str> {
    let mut sent = Vec::new();
    loop {
        tokio::select! {
            biased;
            // Wrong: what is still in the queue is dropped with it,
            // and those who sent it were told `Ok`.
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
    async fn what_was_accepted_is_lost() {
        assert_eq!(run().await, ["welcome", "invoice"]);
    }
}
