//! A date that goes on with the paused clock.

// ANCHOR: clock
use std::{sync::Arc, time::SystemTime};

use tokio::time::{Duration, Instant, sleep};

/// Tells the date: the machine's, or the one that a test says.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    fn of_this_machine() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// Begins at a date, and goes on as Tokio's clock does.
    fn from(date: SystemTime) -> Self {
        let start = Instant::now();
        Self(Arc::new(move || date + start.elapsed()))
    }

    fn now(&self) -> SystemTime {
        self.0()
    }

    /// Waits for a date. A machine's date may be set meanwhile, so
    /// it looks again each minute.
    async fn wait_for(&self, date: SystemTime) {
        while let Ok(left) = date.duration_since(self.now())
            && !left.is_zero()
        {
            sleep(left.min(Duration::from_secs(60))).await;
        }
    }
}
// ANCHOR_END: clock

// ANCHOR: main
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
    let clock = Clock::from(today);
    let start = Instant::now();
    clock.wait_for(today + 14 * DAY).await;
    let days = start.elapsed().as_secs() / DAY.as_secs();
    println!("the reminder is sent after {days} days");

    let past = SystemTime::UNIX_EPOCH;
    Clock::of_this_machine().wait_for(past).await;
    println!("a date that is over is not waited for");
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_the_date_and_no_longer() {
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let clock = Clock::from(today);
        let start = Instant::now();
        let late = Duration::from_millis(1500);
        clock.wait_for(today + late).await;
        assert_eq!(start.elapsed(), late);
        assert_eq!(clock.now(), today + late);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_machine_has_one_too() {
        let clock = Clock::of_this_machine();
        assert!(clock.now() > SystemTime::UNIX_EPOCH + 20_000 * DAY);
        clock.wait_for(clock.now()).await;
    }
}
