//! A stream that wraps another stream and skips items.

// ANCHOR: changes
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, StreamExt, stream::Fuse};
use pin_project_lite::pin_project;
use tokio::task::coop::poll_proceed;

pin_project! {
    /// The items of `readings` that differ from the one before.
    struct Changes<S: Stream> {
        #[pin]
        readings: Fuse<S>,
        last: Option<S::Item>,
    }
}

impl<S: Stream<Item: Clone + PartialEq>> Stream for Changes<S> {
    type Item = S::Item;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        loop {
            // Lets other tasks run during many equal readings.
            let budget = ready!(poll_proceed(context));
            let next = this.readings.as_mut().poll_next(context);
            let next = ready!(next);
            budget.made_progress();
            if next.is_none() || *this.last != next {
                this.last.clone_from(&next);
                return Poll::Ready(next);
            }
            // Skipped: poll again instead of returning pending.
        }
    }
}
// ANCHOR_END: changes

use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;

fn changes<S: Stream>(readings: S) -> Changes<S> {
    Changes { readings: readings.fuse(), last: None }
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
    use std::pin::pin;

    use futures::stream;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_two_equal_readings() {
        let mut changes = changes(readings());
        assert_eq!(changes.next().await, Some(20));
        let next = tokio::spawn(async move { changes.next().await });
        let next = within(HOUR, next).await;
        assert_eq!(next.expect("no panic"), Some(21));
    }

    #[tokio::test]
    async fn edges_no_reading_one_and_all_equal() {
        for (readings, expected) in
            [(&[][..], &[][..]), (&[1], &[1]), (&[1; 9], &[1])]
        {
            let readings = stream::iter(readings.to_vec());
            let seen: Vec<_> = changes(readings).collect().await;
            assert_eq!(seen, expected);
        }
    }

    #[tokio::test]
    async fn edges_after_its_end_it_stays_at_its_end() {
        // `unfold` panics if it's polled after its end.
        let readings = stream::unfold(0, async |reading| {
            (reading < 3).then_some((reading, reading + 1))
        });
        let mut changes = pin!(changes(readings));
        assert_eq!(changes.by_ref().count().await, 3);
        assert_eq!(changes.next().await, None);
        assert_eq!(changes.next().await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_wake_it_for_every_change() {
        let (sender, readings) = mpsc::channel(1);
        let changes = changes(ReceiverStream::new(readings));
        let count = tokio::spawn(changes.count());
        for reading in 0..10_000 {
            sender.send(reading / 10).await.expect("it is read");
        }
        drop(sender);
        assert_eq!(count.await.expect("no panic"), 1000);
    }

    #[tokio::test]
    async fn overload_by_equal_readings_lets_others_run() {
        let mut changes = changes(stream::repeat(1));
        assert_eq!(changes.next().await, Some(1));
        let endless = tokio::spawn(async move { changes.next().await });
        for _ in 0..10 {
            yield_now().await;
        }
        endless.abort();
        assert!(endless.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_change() {
        at_every_poll(async |cancel| {
            let readings =
                stream::iter([1, 1, 1, 2]).then(async |reading| {
                    yield_now().await;
                    reading
                });
            let mut changes = pin!(changes(readings));
            let first = cancel.run(changes.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(changes.collect::<Vec<_>>().await);
            assert_eq!(seen, [1, 2]);
        })
        .await;
    }
}
