//! Items at the pace of an interval, and what happens after a pause.

use futures::{Stream, StreamExt};
use tokio::time::{
    Duration, Instant, MissedTickBehavior, interval, sleep,
};

// ANCHOR: paced
use async_stream::stream;

/// One item per tick. Use `Delay` if the pace is a limit: the default,
/// `Burst`, makes up for missed ticks all at the same time.
///
/// It waits for the item first and then for a tick. Otherwise it would
/// take a tick while there's no item, and let two items through later.
///
/// Dropping the stream loses the item that waits for its tick. To stop
/// without a loss, end `items`, and read the rest.
fn paced<S: Stream>(
    items: S,
    missed: MissedTickBehavior,
) -> impl Stream<Item = S::Item> {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(missed);
    stream! {
        let mut items = std::pin::pin!(items);
        while let Some(item) = items.next().await {
            ticks.tick().await;
            yield item;
        }
    }
}
// ANCHOR_END: paced

/// When each of eight orders is sent, in milliseconds. The body of
/// the loop takes 4.5 seconds for the second one.
async fn times(missed: MissedTickBehavior) -> Vec<u128> {
    let start = Instant::now();
    let orders = tokio_stream::iter(1..=8);
    let mut orders = std::pin::pin!(paced(orders, missed));
    let mut times = Vec::new();
    while let Some(order) = orders.next().await {
        times.push(start.elapsed().as_millis());
        if order == 2 {
            sleep(Duration::from_millis(4500)).await;
        }
    }
    times
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("Burst {:?}", times(MissedTickBehavior::Burst).await);
    println!("Delay {:?}", times(MissedTickBehavior::Delay).await);
    println!("Skip  {:?}", times(MissedTickBehavior::Skip).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_burst_makes_up_for_missed_ticks() {
        let burst = times(MissedTickBehavior::Burst).await;
        let at_once = burst.iter().filter(|time| **time == 5500);
        assert_eq!(at_once.count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_with_delay_and_with_skip() {
        let delay = times(MissedTickBehavior::Delay).await;
        assert!(delay.windows(2).all(|two| two[1] - two[0] >= 1000));
        let skip = times(MissedTickBehavior::Skip).await;
        assert_eq!(skip[2..], [5500, 6000, 7000, 8000, 9000, 10000]);
    }

    /// Orders that come at these times, in milliseconds, at the pace of
    /// an interval that is zipped with them, or of `paced`.
    async fn late(zipped: bool) -> Vec<u128> {
        let start = Instant::now();
        let orders = stream! {
            for due in [0, 1900, 1950, 9500, 9600] {
                let due = start + Duration::from_millis(due);
                tokio::time::sleep_until(due).await;
                yield due;
            }
        };
        let delay = MissedTickBehavior::Delay;
        let paced = if zipped {
            let mut ticks = interval(Duration::from_secs(1));
            ticks.set_missed_tick_behavior(delay);
            let ticks =
                tokio_stream::wrappers::IntervalStream::new(ticks);
            ticks.zip(orders).map(|(_, order)| order).boxed()
        } else {
            paced(orders, delay).boxed()
        };
        paced.map(|_| start.elapsed().as_millis()).collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn slow_orders_do_not_come_closer_than_a_second() {
        let times = late(false).await;
        assert_eq!(times, [0, 1900, 2900, 9500, 10500]);
        // The reason for the order of the two: `zip` keeps a tick.
        let times = late(true).await;
        assert_eq!(times, [0, 1900, 2000, 9500, 9600]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_order() {
        hazards::at_every_poll(async |cancel| {
            let orders = tokio_stream::iter(1..=3);
            let missed = MissedTickBehavior::Delay;
            let mut orders = std::pin::pin!(paced(orders, missed));
            let first = cancel.run(orders.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(orders.collect::<Vec<_>>().await);
            assert_eq!(seen, [1, 2, 3]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_the_end_of_its_source_loses_no_order() {
        let (sender, mut orders) = tokio::sync::mpsc::channel(3);
        for order in 1..=3 {
            sender.try_send(order).expect("room");
        }
        let taken = futures::stream::poll_fn(|it| orders.poll_recv(it));
        let paced = paced(taken, MissedTickBehavior::Delay);
        let mut paced = std::pin::pin!(paced);
        assert_eq!(paced.next().await, Some(1));
        drop(sender);
        assert_eq!(paced.collect::<Vec<_>>().await, [2, 3]);
    }

    /// As documented.
    #[tokio::test(start_paused = true)]
    async fn stop_by_dropping_it_loses_the_order_that_waits() {
        let mut orders = tokio_stream::iter(1..=4);
        let paced = paced(orders.by_ref(), MissedTickBehavior::Delay);
        let mut paced = Box::pin(paced);
        assert_eq!(paced.next().await, Some(1));
        assert!(futures::poll!(paced.next()).is_pending());
        drop(paced);
        assert_eq!(orders.collect::<Vec<_>>().await, [3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_item() {
        let none = tokio_stream::empty::<u32>();
        let none = paced(none, MissedTickBehavior::Delay);
        assert_eq!(none.count().await, 0);
    }
}
