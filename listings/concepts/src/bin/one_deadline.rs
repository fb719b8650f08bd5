//! One deadline for three steps, whichever of them is slow.

use std::time::Duration;

use tokio::time::{
    Instant, error::Elapsed, sleep, timeout, timeout_at,
};

// ANCHOR: two_ways
/// A limit for each step: three seconds in all, if each is slow.
async fn limit_each() -> Result<(), Elapsed> {
    for _step in ["connect", "ask", "read"] {
        timeout(Duration::from_secs(1), slow_step()).await?;
    }
    Ok(())
}

/// A limit for all of them.
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
    async fn only_one_limit_holds_for_all() {
        let start = Instant::now();
        assert!(limit_each().await.is_ok());
        assert_eq!(start.elapsed(), Duration::from_millis(2700));
        let start = Instant::now();
        assert!(limit_all().await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_deadline_that_has_passed_ends_a_wait() {
        let passed = Instant::now();
        let never = std::future::pending::<()>();
        assert!(timeout_at(passed, never).await.is_err());
    }
}
