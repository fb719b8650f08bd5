//! When the receiver is dropped, the sender returns without an error.

// ANCHOR: read_sensor
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval_at},
};

const PERIOD: Duration = Duration::from_secs(1);

/// Reads the sensor every second and sends its readings, until the
/// receiver is dropped. While the queue is full, it doesn't read.
async fn read_sensor(readings: mpsc::Sender<u32>) {
    let mut beat = interval_at(Instant::now(), PERIOD);
    // No burst of readings after a wait for room.
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for reading in 1.. {
        tokio::select! {
            // Otherwise, only the next reading would notice it.
            () = readings.closed() => return,
            _ = beat.tick() => {}
        }
        if readings.send(reading).await.is_err() {
            return;
        }
    }
}
// ANCHOR_END: read_sensor

/// Needs three readings, and leaves.
async fn three(mut readings: mpsc::Receiver<u32>) -> Vec<u32> {
    let mut taken = Vec::new();
    while let Some(reading) = readings.recv().await {
        taken.push(reading);
        if taken.len() == 3 {
            break;
        }
    }
    taken
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (sender, readings) = mpsc::channel(1);
    let sensor = tokio::spawn(read_sensor(sender));
    println!("taken: {:?}", three(readings).await);
    match sensor.await {
        Ok(()) => println!("the sensor ended"),
        Err(error) => println!("the sensor: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn owner_gone_after_three_readings() {
        let (sender, readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        assert_eq!(three(readings).await, [1, 2, 3]);
        let left = Instant::now();
        sensor.await.expect("it doesn't panic");
        assert!(left.elapsed().is_zero());
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_receivers_miss_no_reading() {
        let (sender, mut readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        for expected in 1..=10 {
            tokio::time::sleep(5 * PERIOD).await;
            assert_eq!(readings.recv().await, Some(expected));
        }
        drop(readings);
        within(HOUR, sensor).await.expect("it doesn't panic");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_full_queue_ends_with_the_receiver() {
        let (sender, readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        tokio::time::sleep(HOUR).await;
        drop(readings);
        within(PERIOD, sensor).await.expect("it doesn't panic");
    }

    #[tokio::test(start_paused = true)]
    async fn clock_after_a_wait_for_room_there_is_no_burst() {
        let (sender, mut readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        tokio::time::sleep(HOUR).await; // The queue is full.
        let start = Instant::now();
        for _ in 0..12 {
            assert!(readings.recv().await.is_some());
        }
        assert!(start.elapsed() >= 9 * PERIOD);
        drop(readings);
        sensor.await.expect("it doesn't panic");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_queue() {
        at_every_poll(async |cancel| {
            let (sender, readings) = mpsc::channel(1);
            let sensor = cancel.run(read_sensor(sender));
            let (_, taken) = tokio::join!(sensor, three(readings));
            let count = taken.len() as u32;
            assert!(taken.into_iter().eq(1..=count));
        })
        .await;
    }
}
