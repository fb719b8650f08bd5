//! A stream at the pace of an interval, and what follows a pause.

use futures::{Stream, StreamExt};
use tokio::time::{
    Duration, Instant, MissedTickBehavior, interval, sleep,
};
use tokio_stream::wrappers::IntervalStream;

// ANCHOR: paced
/// One item for each tick.
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
    async fn burst_sends_four_at_once() {
        let burst = times(MissedTickBehavior::Burst).await;
        let at_once = burst.iter().filter(|time| **time == 5500);
        assert_eq!(at_once.count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn delay_keeps_the_distance_and_skip_the_beat() {
        let delay = times(MissedTickBehavior::Delay).await;
        assert!(delay.windows(2).all(|two| two[1] - two[0] >= 1000));
        let skip = times(MissedTickBehavior::Skip).await;
        assert_eq!(skip[2..], [5500, 6000, 7000, 8000, 9000, 10000]);
    }
}
