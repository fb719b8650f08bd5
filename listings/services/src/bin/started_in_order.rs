//! Spawned tasks don't start in the order in which they were spawned.

// ANCHOR: order
use tokio::sync::mpsc;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), tokio::task::JoinError> {
    let events = tokio::spawn(async {
        let (sender, mut receiver) = mpsc::channel(5);
        for event in 1..=5 {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(event).await });
        }
        drop(sender);
        let mut received = Vec::new();
        while let Some(event) = receiver.recv().await {
            received.push(event);
        }
        received
    });
    println!("received {:?}", events.await?);
    Ok(())
}
// ANCHOR_END: order
