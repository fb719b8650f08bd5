//! The merged stream ends with the orders.

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, interval, timeout};
use tokio_stream::wrappers::IntervalStream;

// ANCHOR: until
/// The end of the orders is an item too, and the last one.
fn with_ticks(
    orders: impl Stream<Item = u32>,
) -> impl Stream<Item = Event> {
    let ticks = interval(Duration::from_secs(1000));
    let ticks = IntervalStream::new(ticks).map(|_| Some(Event::Tick));
    let end = stream::iter([None]);
    let orders = orders.map(|order| Some(Event::Order(order)));
    stream::select(orders.chain(end), ticks)
        .take_while(|event| std::future::ready(event.is_some()))
        .filter_map(std::future::ready)
}
// ANCHOR_END: until

#[derive(Debug, PartialEq)]
enum Event {
    Order(u32),
    Tick,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mut events = with_ticks(stream::iter([1, 2]));
    let print = async {
        while let Some(event) = events.next().await {
            println!("{event:?}");
        }
    };
    let hour = Duration::from_secs(3600);
    match timeout(hour, print).await {
        Ok(()) => println!("the end"),
        Err(_) => println!("an hour later: no end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_orders() {
        let events = with_ticks(stream::iter([1, 2]));
        let events: Vec<_> = events.collect().await;
        let orders =
            events.iter().filter(|event| **event != Event::Tick);
        assert_eq!(orders.count(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_orders_it_ends_at_once() {
        let events = with_ticks(stream::empty());
        assert!(events.count().await <= 1);
    }
}
