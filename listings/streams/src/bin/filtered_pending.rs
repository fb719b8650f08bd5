//! Wrong: after the stream skips an item, nothing wakes its task.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;

/// The readings that differ from the one before.
struct Changes {
    readings: ReceiverStream<u32>,
    last: Option<u32>,
}

// ANCHOR: wrong
impl Stream for Changes {
    type Item = u32;

    /// Wrong: `readings` was ready, so it hasn't kept the waker. After
    /// this `Pending`, nothing wakes the task.
    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<u32>> {
        let next = ready!(self.readings.poll_next_unpin(context));
        if next.is_some() && self.last == next {
            return Poll::Pending;
        }
        self.last = next;
        Poll::Ready(next)
    }
}
// ANCHOR_END: wrong

fn changes(readings: ReceiverStream<u32>) -> Changes {
    Changes { readings, last: None }
}

/// Four readings, two of which are the same.
fn readings() -> ReceiverStream<u32> {
    let (sender, readings) = mpsc::channel(4);
    for reading in [20, 20, 21, 20] {
        sender.try_send(reading).expect("there is room");
    }
    ReceiverStream::new(readings)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let print = changes(readings()).for_each(async |reading| {
        println!("{reading} degrees");
    });
    let hour = Duration::from_secs(3600);
    match timeout(hour, tokio::spawn(print)).await {
        Ok(_) => println!("the end"),
        Err(_) => println!("nothing more for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_two_equal_readings() {
        let mut changes = changes(readings());
        assert_eq!(changes.next().await, Some(20));
        let next = tokio::spawn(async move { changes.next().await });
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, next).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn polled_again_by_chance_it_continues() {
        let mut changes = changes(readings());
        assert_eq!(changes.next().await, Some(20));
        assert!(futures::poll!(changes.next()).is_pending());
        assert_eq!(changes.next().await, Some(21));
    }
}
