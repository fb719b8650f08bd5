//! A lag is counted, and the loop goes on.

// ANCHOR: archive
use tokio::sync::broadcast::{self, error::RecvError};

/// Writes each change into the archive, and how many it missed.
async fn archive(mut changes: broadcast::Receiver<u32>) -> Vec<Entry> {
    let mut archived = Vec::new();
    loop {
        match changes.recv().await {
            Ok(change) => archived.push(Entry::Change(change)),
            Err(RecvError::Lagged(missed)) => {
                archived.push(Entry::Missed(missed));
            }
            Err(RecvError::Closed) => return archived,
        }
    }
}
// ANCHOR_END: archive

#[derive(Debug, PartialEq)]
enum Entry {
    Change(u32),
    Missed(u64),
}

/// Ten changes at once, and one in each of the next two seconds.
async fn run() -> Vec<Entry> {
    let (sender, changes) = broadcast::channel(4);
    let archive = tokio::spawn(archive(changes));
    for change in 1..=12 {
        // Fails where nobody listens.
        let _ = sender.send(change);
        if change >= 10 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
    drop(sender);
    archive.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("sent:     1 to 12");
    for entry in run().await {
        println!("archived: {entry:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_in_the_archive_as_well() {
        let archived = run().await;
        assert_eq!(archived[0], Entry::Missed(6));
        assert_eq!(archived[1], Entry::Change(7));
        assert_eq!(archived.len(), 1 + 6);
    }
}
