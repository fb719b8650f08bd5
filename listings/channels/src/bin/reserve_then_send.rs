//! Wait for room first, then send.

// ANCHOR: hand_on
use tokio::{
    sync::mpsc::{self, error::SendError},
    time::{Duration, MissedTickBehavior, interval, sleep},
};

/// Sends five readings, and prints "(alive)" at every tick.
///
/// The error contains the first reading that wasn't sent. If this is
/// canceled, the readings up to some point were sent, and no others.
async fn hand_on(
    readings: mpsc::Sender<u32>,
) -> Result<(), SendError<u32>> {
    let mut alive = interval(Duration::from_millis(70));
    // After a stall, one tick instead of a burst.
    alive.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for reading in 1..=5 {
        // Created once per reading, and kept across ticks: a new call
        // would be queued again, behind all other senders.
        let mut room = std::pin::pin!(readings.reserve());
        let room = loop {
            tokio::select! {
                biased;
                // First, so that a ready queue can't starve the ticks.
                _ = alive.tick() => println!("(alive)"),
                room = &mut room => break room,
            }
        };
        room.map_err(|_| SendError(reading))?.send(reading);
    }
    Ok(())
}
// ANCHOR_END: hand_on

/// Stores a reading in 100 ms.
async fn store(mut readings: mpsc::Receiver<u32>) -> Vec<u32> {
    let mut stored = Vec::new();
    while let Some(reading) = readings.recv().await {
        sleep(Duration::from_millis(100)).await;
        stored.push(reading);
    }
    stored
}

async fn run() -> Result<Vec<u32>, SendError<u32>> {
    let (sender, readings) = mpsc::channel(1);
    let (stored, sent) = tokio::join!(store(readings), hand_on(sender));
    sent.map(|()| stored)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), SendError<u32>> {
    println!("stored: {:?} of 1 to 5", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_by_a_tick_loses_no_reading() {
        assert_eq!(run().await, Ok(vec![1, 2, 3, 4, 5]));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_leaves_no_gap() {
        at_every_poll(async |cancel| {
            let (sender, readings) = mpsc::channel(1);
            let place = sender.downgrade();
            let mut stored = Vec::new();
            let hand_on = async {
                let sent = cancel.run(hand_on(sender)).await;
                // Every place is back or taken.
                assert!(place.upgrade().is_none());
                sent
            };
            let store = async { stored = store(readings).await };
            let (_, ()) = tokio::join!(hand_on, store);
            let count = stored.len() as u32;
            assert!(stored.into_iter().eq(1..=count));
        })
        .await;
    }

    /// Two more senders that always wait for a place.
    #[tokio::test(start_paused = true)]
    async fn overload_by_other_senders_does_not_starve_it() {
        let (sender, readings) = mpsc::channel(1);
        for _ in 0..2 {
            let other = sender.clone();
            tokio::spawn(async move {
                while other.send(100).await.is_ok() {}
            });
        }
        let storing = tokio::spawn(store(readings));
        let minute = Duration::from_secs(60);
        assert_eq!(within(minute, hand_on(sender)).await, Ok(()));
        storing.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_receivers_miss_nothing() {
        let (sender, mut readings) = mpsc::channel(1);
        let read = async {
            let mut read = Vec::new();
            while let Some(reading) = readings.recv().await {
                sleep(Duration::from_secs(60)).await;
                read.push(reading);
            }
            read
        };
        let (sent, read) = tokio::join!(hand_on(sender), read);
        assert_eq!((sent, read), (Ok(()), vec![1, 2, 3, 4, 5]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn owner_gone_is_an_error_with_the_reading() {
        let (sender, readings) = mpsc::channel(1);
        drop(readings);
        assert_eq!(hand_on(sender).await, Err(SendError(1)));
        let (sender, mut readings) = mpsc::channel(1);
        let read = async move {
            readings.recv().await // And drops the receiver.
        };
        let sent = within(HOUR, hand_on(sender));
        let (sent, read) = tokio::join!(sent, read);
        assert_eq!(read, Some(1));
        assert!(matches!(sent, Err(SendError(2 | 3))));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_room_for_all() {
        let (sender, mut readings) = mpsc::channel(100);
        assert_eq!(hand_on(sender).await, Ok(()));
        for reading in 1..=5 {
            assert_eq!(readings.recv().await, Some(reading));
        }
        assert_eq!(readings.recv().await, None);
    }
}
