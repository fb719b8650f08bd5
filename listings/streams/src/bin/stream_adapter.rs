//! A stream that wraps another one, and leaves items out.

// ANCHOR: changes
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, StreamExt};
use pin_project_lite::pin_project;

pin_project! {
    /// The items of `readings` that differ from the one before.
    struct Changes<S: Stream> {
        #[pin]
        readings: S,
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
            let next = this.readings.as_mut().poll_next(context);
            let next = ready!(next);
            if next.is_none() || *this.last != next {
                this.last.clone_from(&next);
                return Poll::Ready(next);
            }
            // Left out: ask for another one, until there is none.
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
    Changes { readings, last: None }
}

/// Four readings, of which two are the same.
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
    use futures::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_the_same_is_left_out() {
        let seen: Vec<_> = changes(readings()).collect().await;
        assert_eq!(seen, [20, 21, 20]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_wraps_a_stream_that_must_be_pinned() {
        let readings =
            stream::iter([1, 1, 1, 2]).then(async |reading| {
                tokio::task::yield_now().await;
                reading
            });
        let seen: Vec<_> = changes(readings).collect().await;
        assert_eq!(seen, [1, 2]);
    }
}
