//! Wrong: the clock is advanced before the task has started.

use tokio::{
    task::JoinSet,
    time::{Duration, advance, sleep},
};

const MINUTE: Duration = Duration::from_secs(60);

// ANCHOR: wrong
/// Reminds three times, each time after twenty minutes.
async fn remind() {
    for _ in 0..3 {
        sleep(20 * MINUTE).await;
    }
}

/// Wrong: `advance` jumps before the task is polled for the first
/// time, so its first twenty minutes start after the jump.
async fn is_done_after_an_hour() -> bool {
    let mut tasks = JoinSet::new();
    tasks.spawn(remind());
    advance(60 * MINUTE).await;
    tasks.try_join_next().is_some()
}
// ANCHOR_END: wrong

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
        assert!(!is_done_after_an_hour().await);
    }

    #[tokio::test(start_paused = true)]
    async fn once_it_has_begun_one_jump_is_one_sleep() {
        let mut tasks = JoinSet::new();
        tasks.spawn(remind());
        tokio::task::yield_now().await;
        advance(60 * MINUTE).await;
        assert!(tasks.try_join_next().is_none());
    }
}
