//! Wrong: the queue is filled before anything reads from it.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

// ANCHOR: mistake
/// Wrong: the queue holds two lines. The third `send` waits for room,
/// and `collect`, which would make room, isn't called before `fill` ends.
async fn import(lines: u32) -> Vec<u32> {
    let (sender, receiver) = mpsc::channel(2);
    let collected = collect(receiver);
    fill(sender, lines).await;
    collected.await
}
// ANCHOR_END: mistake

async fn fill(sender: mpsc::Sender<u32>, lines: u32) {
    for line in 1..=lines {
        if sender.send(line).await.is_err() {
            return;
        }
    }
}

async fn collect(mut receiver: mpsc::Receiver<u32>) -> Vec<u32> {
    let mut collected = Vec::new();
    while let Some(line) = receiver.recv().await {
        collected.push(line);
    }
    collected
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for lines in [2, 3] {
        match timeout(Duration::from_secs(3600), import(lines)).await {
            Ok(collected) => println!("{lines} lines: {collected:?}"),
            Err(_) => println!("{lines} lines: hung for an hour"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_fills_the_queue_while_it_is_read() {
        let hour = Duration::from_secs(3600);
        assert_eq!(timeout(hour, import(2)).await, Ok(vec![1, 2]));
        // The mistake: one line more than the queue holds.
        assert!(timeout(hour, import(3)).await.is_err());
    }
}
