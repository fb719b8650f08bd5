//! A test that sleeps lets every timer fire when it's due.

use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Reminds three times, each time after twenty minutes.
async fn remind() {
    for _ in 0..3 {
        sleep(20 * MINUTE).await;
    }
}

// ANCHOR: sleep
/// The clock jumps from timer to timer. One millisecond more than an
/// hour, because timers that are due at the same moment have no order.
async fn is_done_after_an_hour() -> bool {
    let mut tasks = JoinSet::new();
    tasks.spawn(remind());
    sleep(60 * MINUTE + Duration::from_millis(1)).await;
    tasks.try_join_next().is_some()
}
// ANCHOR_END: sleep

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let is_done = is_done_after_an_hour().await;
    println!("done after an hour: {is_done}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_an_hour_is_over_and_all_have_rung() {
        assert!(is_done_after_an_hour().await);
    }
}
