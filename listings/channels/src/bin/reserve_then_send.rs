//! Wait for room first, and send when there is some.

// ANCHOR: hand_on
use tokio::{
    sync::mpsc,
    time::{Duration, interval, sleep},
};

/// Hands on five readings, and shows a sign of life meanwhile.
async fn hand_on(readings: mpsc::Sender<u32>) {
    let mut alive = interval(Duration::from_millis(70));
    let mut next = 1;
    while next <= 5 {
        tokio::select! {
            biased;
            // What is dropped is a place in the line, and no reading.
            room = readings.reserve() => match room {
                Ok(room) => {
                    room.send(next);
                    next += 1;
                }
                Err(_) => return,
            },
            _ = alive.tick() => println!("(alive)"),
        }
    }
}
// ANCHOR_END: hand_on

/// Takes a reading each 100 ms.
async fn store(mut readings: mpsc::Receiver<u32>) -> Vec<u32> {
    let mut stored = Vec::new();
    while let Some(reading) = readings.recv().await {
        sleep(Duration::from_millis(100)).await;
        stored.push(reading);
    }
    stored
}

async fn run() -> Vec<u32> {
    let (sender, readings) = mpsc::channel(1);
    let (stored, ()) = tokio::join!(store(readings), hand_on(sender));
    stored
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("stored: {:?} of 1 to 5", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_reading_is_stored() {
        assert_eq!(run().await, [1, 2, 3, 4, 5]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_when_nobody_stores() {
        let (sender, readings) = mpsc::channel(1);
        drop(readings);
        hand_on(sender).await;
    }
}
