//! A queue is filled and read at the same time.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

// ANCHOR: pattern
/// Both futures are polled: whenever the queue is full, `collect` makes room.
async fn import(lines: u32) -> Vec<u32> {
    let (sender, receiver) = mpsc::channel(2);
    let ((), collected) =
        tokio::join!(fill(sender, lines), collect(receiver));
    collected
}
// ANCHOR_END: pattern

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
        let all: Vec<u32> = (1..=1000).collect();
        let hour = Duration::from_secs(3600);
        assert_eq!(timeout(hour, import(1000)).await, Ok(all));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_number_of_lines() {
        for lines in [0, 1, 2, 3] {
            let expected: Vec<u32> = (1..=lines).collect();
            assert_eq!(import(lines).await, expected);
        }
    }
}
