//! Wrong: the loop silently stops at the first lag.

// ANCHOR: wrong
use tokio::sync::broadcast;

/// Archives every change.
async fn archive(mut changes: broadcast::Receiver<u32>) -> Vec<u32> {
    let mut archived = Vec::new();
    // Wrong: `Err` may be `Lagged`, with the channel still open.
    while let Ok(change) = changes.recv().await {
        archived.push(change);
    }
    archived
}
// ANCHOR_END: wrong

/// Ten changes together, and one in each of the next two seconds.
async fn run() -> Vec<u32> {
    let (sender, changes) = broadcast::channel(4);
    let archive = tokio::spawn(archive(changes));
    for change in 1..=12 {
        // Fails if nobody listens.
        _ = sender.send(change);
        if change >= 10 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
    drop(sender);
    archive.await.expect("it doesn't panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("sent:     1 to 12");
    println!("archived: {:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_archive_after_a_lag() {
        assert_eq!(run().await, []);
    }
}
