//! Wrong: the orders have ended, but the merged stream hasn't.

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, interval, timeout};
use tokio_stream::wrappers::IntervalStream;

// ANCHOR: wrong
/// Wrong: it ends when *both* have ended, and a timer never does.
fn with_ticks(
    orders: impl Stream<Item = u32>,
) -> impl Stream<Item = Event> {
    let ticks = interval(Duration::from_secs(1000));
    let ticks = IntervalStream::new(ticks).map(|_| Event::Tick);
    stream::select(orders.map(Event::Order), ticks)
}
// ANCHOR_END: wrong

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
    async fn edges_the_orders_end() {
        let events = with_ticks(stream::iter([1, 2]));
        assert_eq!(events.take(1000).count().await, 1000);
    }
}
