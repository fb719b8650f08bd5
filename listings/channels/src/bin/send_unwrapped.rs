//! Wrong: the receiver may go at any time, and `unwrap` panics then.

// ANCHOR: wrong
use tokio::sync::mpsc;

/// Reads the sensor, and hands on what it reads.
async fn read_sensor(readings: mpsc::Sender<u32>) {
    for reading in 1.. {
        readings.send(reading).await.unwrap();
    }
}
// ANCHOR_END: wrong

/// Who needs three readings, and goes.
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
    async fn it_panics_when_the_receiver_goes() {
        let (sender, readings) = mpsc::channel(1);
        let sensor = tokio::spawn(read_sensor(sender));
        assert_eq!(three(readings).await, [1, 2, 3]);
        let error = sensor.await.expect_err("it panics");
        assert!(error.is_panic());
    }
}
