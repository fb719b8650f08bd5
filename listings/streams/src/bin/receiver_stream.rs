//! A task reads ahead, and what it has read comes as a stream.

// ANCHOR: readings
use futures::StreamExt;
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

/// Reads the meter, also while nobody asks for the next reading: up
/// to two are kept. It ends when the stream is dropped, and returns
/// how many it has read.
fn readings() -> (ReceiverStream<u32>, AbortOnDropHandle<u32>) {
    let (queue, readings) = mpsc::channel(2);
    let task = tokio::spawn(async move {
        let mut number = 0;
        loop {
            let reading = read_meter(number).await;
            number += 1;
            if queue.send(reading).await.is_err() {
                return number;
            }
        }
    });
    (ReceiverStream::new(readings), AbortOnDropHandle::new(task))
}
// ANCHOR_END: readings

async fn read_meter(number: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    5 * number
}

/// Takes three readings, and works on each for 300 ms. Returns when
/// each came, and how many were read.
async fn take_three() -> (Vec<(u128, u32)>, u32) {
    let start = Instant::now();
    let (readings, task) = readings();
    let mut readings = readings.take(3);
    let mut taken = Vec::new();
    while let Some(reading) = readings.next().await {
        taken.push((start.elapsed().as_millis(), reading));
        sleep(Duration::from_millis(300)).await;
    }
    drop(readings);
    (taken, task.await.expect("it does not panic"))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (taken, read) = take_three().await;
    for (at, reading) in taken {
        println!("{at:>3} ms  reading {reading}");
    }
    println!("{read} were read");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_reads_ahead_as_far_as_there_is_room() {
        let (taken, read) = take_three().await;
        assert_eq!(taken, [(100, 0), (400, 5), (700, 10)]);
        // Three were taken, two in the queue, and one in its hands.
        assert_eq!(read, 6);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_with_the_stream() {
        let (readings, task) = readings();
        drop(readings);
        assert_eq!(task.await.expect("it does not panic"), 1);
    }
}
