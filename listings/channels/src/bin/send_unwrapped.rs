//! Wrong: the receiver can leave at any time, and then `unwrap` panics.

// ANCHOR: wrong
use tokio::sync::mpsc;

/// Reads the sensor and sends its readings.
async fn read_sensor(readings: mpsc::Sender<u32>) {
    for reading in 1.. {
        readings.send(reading).await.unwrap();
    }
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test]
    async fn owner_gone_after_three_readings() {
        let (sender, readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        assert_eq!(three(readings).await, [1, 2, 3]);
        let error = sensor.await.expect_err("it panics");
        assert!(error.is_panic());
    }
}
