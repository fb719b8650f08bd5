//! Wrong: a tick wins against `send`, and the reading is lost.

// ANCHOR: wrong
use tokio::{
    sync::mpsc,
    time::{Duration, MissedTickBehavior, interval, sleep},
};

/// Sends five readings, and prints "(alive)" at every tick.
async fn hand_on(readings: mpsc::Sender<u32>) {
    let mut alive = interval(Duration::from_millis(70));
    alive.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for reading in 1..=5 {
        tokio::select! {
            biased;
            _ = alive.tick() => println!("(alive)"),
            // Wrong: a tick drops this future and its reading.
            sent = readings.send(reading) => {
                if sent.is_err() {
                    return;
                }
            }
        }
    }
}
// ANCHOR_END: wrong

/// Stores a reading in 100 ms.
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
    async fn cancel_by_a_tick_loses_no_reading() {
        let stored = run().await;
        assert!(stored.len() < 5, "{stored:?}");
    }
}
