//! A loop that yields in several places, as a stream.

// ANCHOR: events
use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};

const QUIET: Duration = Duration::from_secs(10);

/// Every price, and a keep-alive when the last event is ten seconds
/// old. `End` becomes a farewell. If the senders are dropped without an
/// `End`, the last item is `Lost`: a task that panics drops its sender.
fn events(
    mut updates: mpsc::Receiver<Update>,
) -> impl Stream<Item = Event> {
    stream! {
        let mut due = Instant::now() + QUIET;
        let last = loop {
            tokio::select! {
                biased;
                update = updates.recv() => match update {
                    Some(Update::Price(price)) => {
                        due = Instant::now() + QUIET;
                        yield Event::Price(price);
                    }
                    Some(Update::End) => break Event::Farewell,
                    None => break Event::Lost,
                },
                () = sleep_until(due) => {
                    due = Instant::now() + QUIET;
                    yield Event::KeepAlive;
                }
            }
        };
        yield last;
    }
}
// ANCHOR_END: events

enum Update {
    Price(u32),
    End,
}

#[derive(Debug, PartialEq)]
enum Event {
    Price(u32),
    KeepAlive,
    Farewell,
    Lost,
}

use tokio::{sync::mpsc::error::SendError, time::sleep};

/// Two prices, a long time apart, and the end.
async fn update_twice(
    updates: mpsc::Sender<Update>,
) -> Result<(), SendError<Update>> {
    for (seconds, price) in [(1, 101), (25, 102)] {
        sleep(Duration::from_secs(seconds)).await;
        updates.send(Update::Price(price)).await?;
    }
    updates.send(Update::End).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), SendError<Update>> {
    let start = Instant::now();
    let (updates, receiver) = mpsc::channel(8);
    let print = events(receiver).for_each(async |event| {
        println!("{:>2} s  {event:?}", start.elapsed().as_secs());
    });
    let ((), sent) = tokio::join!(print, update_twice(updates));
    sent
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use hazards::{HOUR, within};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_senders_brings_keep_alives() {
        let (updates, receiver) = mpsc::channel(8);
        let seen = events(receiver).collect::<Vec<_>>();
        let (seen, sent) = tokio::join!(seen, update_twice(updates));
        assert!(sent.is_ok());
        let expected = [
            Event::Price(101),
            Event::KeepAlive,
            Event::KeepAlive,
            Event::Price(102),
            Event::Farewell,
        ];
        assert_eq!(seen, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_sender_is_no_farewell() {
        let (updates, receiver) = mpsc::channel(8);
        let sender = tokio::spawn(async move {
            updates.send(Update::Price(1)).await.ok();
            panic!("no more prices");
        });
        let seen: Vec<_> = events(receiver).collect().await;
        assert_eq!(seen, [Event::Price(1), Event::Lost]);
        assert!(sender.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_its_keep_alive_when_it_asks() {
        for busy in [9, 10, 25] {
            let (_updates, receiver) = mpsc::channel::<Update>(8);
            let mut events = pin!(events(receiver));
            // The first poll starts the clock.
            assert!(futures::poll!(events.next()).is_pending());
            let start = Instant::now();
            sleep(Duration::from_secs(busy)).await;
            assert_eq!(events.next().await, Some(Event::KeepAlive));
            let at = start.elapsed().as_secs();
            assert_eq!(at, busy.max(10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_a_price_before_a_keep_alive() {
        // Without `biased;`, it's chance which of the two comes first.
        for _ in 0..64 {
            let (updates, receiver) = mpsc::channel(8);
            let mut events = pin!(events(receiver));
            assert!(futures::poll!(events.next()).is_pending());
            updates.try_send(Update::Price(1)).ok();
            sleep(2 * QUIET).await;
            assert_eq!(events.next().await, Some(Event::Price(1)));
            // The ten seconds start again at the price.
            let soon = QUIET - Duration::from_millis(1);
            assert!(timeout(soon, events.next()).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_nothing_and_delays_nothing() {
        let (updates, receiver) = mpsc::channel(8);
        let mut events = pin!(events(receiver));
        let start = Instant::now();
        let mut seen = Vec::new();
        let second = Duration::from_secs(1);
        let sending = update_twice(updates);
        let reading = async {
            while seen.last() != Some(&Event::Farewell) {
                let next = timeout(second, events.next()).await;
                seen.extend(next.ok().flatten());
                if seen.len() == 2 && start.elapsed().as_secs() < 12 {
                    // The first keep-alive comes 10 s after price 101.
                    assert_eq!(start.elapsed().as_secs(), 11);
                }
            }
        };
        let ((), sent) = tokio::join!(reading, sending);
        assert!(sent.is_ok());
        assert_eq!(seen.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_the_senders_learn_of_it() {
        let (updates, receiver) = mpsc::channel(8);
        let mut events = Box::pin(events(receiver));
        assert!(futures::poll!(events.next()).is_pending());
        drop(events);
        let closed = updates.closed();
        within(HOUR, closed).await;
        assert!(updates.send(Update::End).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_prices_delivers_each() {
        let (updates, receiver) = mpsc::channel(1);
        let send = async move {
            for price in 0..100 {
                updates.send(Update::Price(price)).await.ok();
            }
            updates.send(Update::End).await.ok();
        };
        let seen = events(receiver).collect::<Vec<_>>();
        let (seen, ()) = tokio::join!(seen, send);
        assert_eq!(seen.len(), 101);
        assert_eq!(seen.last(), Some(&Event::Farewell));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_it_may_be_asked_after_its_end() {
        let (updates, receiver) = mpsc::channel(8);
        updates.try_send(Update::End).ok();
        let mut events = pin!(events(receiver));
        assert_eq!(events.next().await, Some(Event::Farewell));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let (updates, receiver) = mpsc::channel(8);
        let seen = tokio::spawn(events(receiver).count());
        for price in 0..1000 {
            let sent = updates.send(Update::Price(price)).await;
            assert!(sent.is_ok());
        }
        drop(updates);
        assert_eq!(seen.await.expect("no panic"), 1001);
    }
}
