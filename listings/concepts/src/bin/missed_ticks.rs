//! What an interval does about missed ticks after a slow iteration.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

// ANCHOR: ticks
/// Ticks every second, seven times. The work after the second tick
/// takes 3.5 seconds. Returns when the ticks came, in milliseconds.
async fn ticks(behavior: MissedTickBehavior) -> Vec<u128> {
    let start = Instant::now();
    let mut due = interval(Duration::from_secs(1));
    due.set_missed_tick_behavior(behavior);
    let mut times = Vec::new();
    for iteration in 0..7 {
        due.tick().await;
        times.push(start.elapsed().as_millis());
        if iteration == 1 {
            sleep(Duration::from_millis(3500)).await;
        }
    }
    times
}
// ANCHOR_END: ticks

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("Burst {:?}", ticks(MissedTickBehavior::Burst).await);
    println!("Delay {:?}", ticks(MissedTickBehavior::Delay).await);
    println!("Skip  {:?}", ticks(MissedTickBehavior::Skip).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_work_each_behavior_has_its_own_times() {
        let burst = ticks(MissedTickBehavior::Burst).await;
        assert_eq!(burst, [0, 1000, 4500, 4500, 4500, 5000, 6000]);
        let delay = ticks(MissedTickBehavior::Delay).await;
        assert_eq!(delay, [0, 1000, 4500, 5500, 6500, 7500, 8500]);
        let skip = ticks(MissedTickBehavior::Skip).await;
        assert_eq!(skip, [0, 1000, 4500, 5000, 6000, 7000, 8000]);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_five_milliseconds_late_is_punctual() {
        for (late, next) in [(5, 2000), (6, 2006)] {
            let start = Instant::now();
            let mut due = interval(Duration::from_secs(1));
            let delay = MissedTickBehavior::Delay;
            due.set_missed_tick_behavior(delay);
            due.tick().await;
            sleep(Duration::from_millis(1000 + late)).await;
            due.tick().await;
            due.tick().await;
            assert_eq!(start.elapsed(), Duration::from_millis(next));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_first_tick_is_due_at_once() {
        let mut due = interval(Duration::from_secs(86_400));
        due.tick().await;
        assert!(futures::poll!(Box::pin(due.tick())).is_pending());
    }
}
