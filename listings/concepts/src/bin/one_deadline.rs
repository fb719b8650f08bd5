//! One deadline for three steps, no matter which one is slow.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

// ANCHOR: two_ways
/// Each step has its own limit, so this can take three seconds.
async fn limit_each() -> Result<(), Late> {
    for step in ["connect", "ask", "read"] {
        let limited = timeout(Duration::from_secs(1), slow_step());
        limited.await.map_err(|_| Late { step })?;
    }
    Ok(())
}

/// All steps share one deadline. If this is canceled, the current
/// step is canceled.
async fn limit_all() -> Result<(), Late> {
    let deadline = Instant::now() + Duration::from_secs(1);
    for step in ["connect", "ask", "read"] {
        let limited = timeout_at(deadline, slow_step());
        limited.await.map_err(|_| Late { step })?;
    }
    Ok(())
}
// ANCHOR_END: two_ways

/// The step that was in progress when the deadline passed.
#[derive(Debug, PartialEq)]
struct Late {
    step: &'static str,
}

async fn slow_step() {
    sleep(Duration::from_millis(900)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let each = limit_each().await;
    println!("each: {each:?} after {:?}", start.elapsed());
    let start = Instant::now();
    let all = limit_all().await;
    println!("all:  {all:?} after {:?}", start.elapsed());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_steps_share_one_limit() {
        let start = Instant::now();
        assert_eq!(limit_each().await, Ok(()));
        assert_eq!(start.elapsed(), Duration::from_millis(2700));
        let start = Instant::now();
        assert_eq!(limit_all().await, Err(Late { step: "ask" }));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_steps_stop_at_one_timeout_around_them() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert!(timeout(second, limit_each()).await.is_err());
        assert_eq!(start.elapsed(), second);
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
        // A ready future counts as in time, even after the deadline.
        assert!(timeout_at(passed, async {}).await.is_ok());
    }

    /// Timers have a resolution of a millisecond, and round up.
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
