//! A loop that yields in several places, as a stream.

// ANCHOR: events
use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

/// Each update; a keep-alive where there was none for ten seconds;
/// and a farewell when the updates have ended.
fn events(
    mut updates: mpsc::Receiver<u32>,
) -> impl Stream<Item = Event> {
    stream! {
        loop {
            tokio::select! {
                biased;
                update = updates.recv() => match update {
                    Some(update) => yield Event::Update(update),
                    None => break,
                },
                () = sleep(Duration::from_secs(10)) => {
                    yield Event::KeepAlive;
                }
            }
        }
        yield Event::Farewell;
    }
}
// ANCHOR_END: events

#[derive(Debug, PartialEq)]
enum Event {
    Update(u32),
    KeepAlive,
    Farewell,
}

/// Two updates, and a long time between them.
async fn update_twice(updates: mpsc::Sender<u32>) {
    for (seconds, update) in [(1, 1), (25, 2)] {
        sleep(Duration::from_secs(seconds)).await;
        updates.send(update).await.expect("it is read");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (updates, receiver) = mpsc::channel(8);
    let print = events(receiver).for_each(async |event| {
        println!("{event:?}");
    });
    tokio::join!(print, update_twice(updates));
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_yields_within_select() {
        let (updates, receiver) = mpsc::channel(8);
        let seen = events(receiver).collect::<Vec<_>>();
        let (seen, ()) = tokio::join!(seen, update_twice(updates));
        let expected = [
            Event::Update(1),
            Event::KeepAlive,
            Event::KeepAlive,
            Event::Update(2),
            Event::Farewell,
        ];
        assert_eq!(seen, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_may_be_asked_after_its_end() {
        let (updates, receiver) = mpsc::channel(8);
        drop(updates);
        let mut events = pin!(events(receiver));
        assert_eq!(events.next().await, Some(Event::Farewell));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
    }
}
