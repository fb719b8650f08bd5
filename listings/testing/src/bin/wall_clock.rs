//! Mock a date that moves with the paused clock.

// ANCHOR: clock
use std::{sync::Arc, time::SystemTime};

use tokio::time::{Duration, Instant, sleep};

/// Knows the date: the machine's, or one that a test chooses.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    fn of_this_machine() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// Starts at a date and moves with Tokio's clock.
    fn from(date: SystemTime) -> Self {
        let start = Instant::now();
        Self(Arc::new(move || date + start.elapsed()))
    }

    fn now(&self) -> SystemTime {
        self.0()
    }

    /// Waits for a date. Checks the clock every minute in case it's set
    /// to another time, and may return up to a minute late.
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
    println!("a past date: no wait");
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_it_waits_for_the_date_and_no_longer() {
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let clock = Clock::from(today);
        let start = Instant::now();
        let late = Duration::from_millis(1500);
        clock.wait_for(today + late).await;
        assert_eq!(start.elapsed(), late);
        assert_eq!(clock.now(), today + late);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_the_clock_of_this_machine() {
        let clock = Clock::of_this_machine();
        assert!(clock.now() > SystemTime::UNIX_EPOCH + 20_000 * DAY);
        clock.wait_for(clock.now()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn clock_that_is_set_is_noticed_within_a_minute() {
        let start = Instant::now();
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        // After half an hour, the clock is set two hours ahead.
        let minute = Duration::from_secs(60);
        let clock = Clock(Arc::new(move || {
            let now = start.elapsed();
            let ahead = u32::from(now >= 30 * minute) * 120 * minute;
            today + now + ahead
        }));
        clock.wait_for(today + 100 * minute).await;
        assert!(start.elapsed() <= 31 * minute);
        // If the clock is slow, the wait takes longer.
        let clock =
            Clock(Arc::new(move || today + start.elapsed() / 2));
        let before = start.elapsed();
        clock.wait_for(today + before).await;
        assert!(start.elapsed() >= 2 * before - minute);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_date() {
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let clock = Clock::from(today);
        let start = Instant::now();
        clock.wait_for(today).await;
        clock.wait_for(SystemTime::UNIX_EPOCH).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        let moment = today + Duration::from_nanos(1);
        clock.wait_for(moment).await;
        assert!(clock.now() >= moment);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_and_wait_again() {
        let today = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let clock = Clock::from(today);
        let minute = Duration::from_secs(60);
        let date = today + 5 * minute;
        let wait = tokio::time::timeout(minute, clock.wait_for(date));
        assert!(wait.await.is_err());
        clock.wait_for(date).await;
        assert_eq!(clock.now(), date);
    }
}
