//! The merged stream ends with the orders.

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::IntervalStream;

// ANCHOR: until
/// Orders and ticks, until the orders end. Their end is an item too, at
/// which `take_while` stops. A reader that was slow gets one tick, not
/// every tick that it missed.
fn with_ticks(
    orders: impl Stream<Item = u32>,
) -> impl Stream<Item = Event> {
    let mut ticks = interval(Duration::from_secs(1000));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
    use std::pin::pin;

    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_the_orders_end() {
        let events = with_ticks(stream::iter([1, 2]));
        let events: Vec<_> = events.collect().await;
        let orders =
            events.iter().filter(|event| **event != Event::Tick);
        assert_eq!(orders.count(), 2);
        let events = with_ticks(stream::empty());
        assert!(within(HOUR, events.count()).await <= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_orders_leaves_the_ticks_a_turn() {
        let mut events = with_ticks(stream::repeat(1));
        let first = [events.next().await, events.next().await];
        assert!(first.contains(&Some(Event::Tick)));
        sleep(HOUR).await;
        let next = [events.next().await, events.next().await];
        assert!(next.contains(&Some(Event::Tick)));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_one_tick() {
        let orders = stream::iter([1]).chain(stream::pending());
        let mut events = pin!(with_ticks(orders));
        for _ in 0..2 {
            events.next().await; // The order and the first tick.
        }
        sleep(HOUR).await;
        assert_eq!(events.next().await, Some(Event::Tick));
        let soon = Duration::from_secs(999);
        assert!(timeout(soon, events.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_orders_leaves_the_ticks() {
        let events = with_ticks(stream::pending()).take(4);
        assert_eq!(within(HOUR, events.count()).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_order() {
        at_every_poll(async |cancel| {
            let orders = stream::iter([1, 2]).then(async |order| {
                tokio::task::yield_now().await;
                order
            });
            let mut events = pin!(with_ticks(orders));
            let first = cancel.run(events.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(events.collect::<Vec<_>>().await);
            seen.retain(|event| *event != Event::Tick);
            assert_eq!(seen, [Event::Order(1), Event::Order(2)]);
        })
        .await;
    }
}
