//! A stream at the pace of an interval, and what follows a pause.

use futures::{Stream, StreamExt};
use tokio::time::{
    Duration, Instant, MissedTickBehavior, interval, sleep,
};
use tokio_stream::wrappers::IntervalStream;

// ANCHOR: paced
/// One item per tick. Use `Delay` if the pace is a limit: the default,
/// `Burst`, makes up for missed ticks all at the same time.
fn paced<S: Stream>(
    items: S,
    missed: MissedTickBehavior,
) -> impl Stream<Item = S::Item> {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(missed);
    IntervalStream::new(ticks).zip(items).map(|(_, item)| item)
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
    async fn edges_no_item() {
        let none = tokio_stream::empty::<u32>();
        let none = paced(none, MissedTickBehavior::Delay);
        assert_eq!(none.count().await, 0);
    }
}
