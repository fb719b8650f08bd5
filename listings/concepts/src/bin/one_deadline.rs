//! One deadline for three steps, whichever of them is slow.

use std::time::Duration;

use tokio::time::{
    Instant, error::Elapsed, sleep, timeout, timeout_at,
};

// ANCHOR: two_ways
/// A limit for each step: up to three seconds in all.
async fn limit_each() -> Result<(), Elapsed> {
    for _step in ["connect", "ask", "read"] {
        timeout(Duration::from_secs(1), slow_step()).await?;
    }
    Ok(())
}

/// One limit for all of them. Dropped, it drops the step that is
/// under way.
async fn limit_all() -> Result<(), Elapsed> {
    let deadline = Instant::now() + Duration::from_secs(1);
    for _step in ["connect", "ask", "read"] {
        timeout_at(deadline, slow_step()).await?;
    }
    Ok(())
}
// ANCHOR_END: two_ways

async fn slow_step() {
    sleep(Duration::from_millis(900)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let each = limit_each().await.is_ok();
    println!("each: in time: {each}, {:?}", start.elapsed());
    let start = Instant::now();
    let all = limit_all().await.is_ok();
    println!("all:  in time: {all}, {:?}", start.elapsed());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_steps_share_one_limit() {
        let start = Instant::now();
        assert!(limit_each().await.is_ok());
        assert_eq!(start.elapsed(), Duration::from_millis(2700));
        let start = Instant::now();
        assert!(limit_all().await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_behind() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(limit_all()).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn silence_ends_at_a_deadline_that_has_passed() {
        let passed = Instant::now();
        let never = std::future::pending::<()>();
        assert!(timeout_at(passed, never).await.is_err());
        // What is ready is in time, though the deadline has passed.
        assert!(timeout_at(passed, async {}).await.is_ok());
    }

    /// Timers have a resolution of a millisecond, rounded up.
    #[tokio::test(start_paused = true)]
    async fn clock_half_a_millisecond_is_a_whole_one() {
        let start = Instant::now();
        sleep(Duration::from_micros(500)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(1));
        let start = Instant::now();
        sleep(Duration::from_micros(1500)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(2));
    }
}
