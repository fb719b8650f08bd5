//! The error names the step, and the limit that it had.

// ANCHOR: within
use anyhow::Result;
use tokio::time::{Duration, timeout};

/// A step did not end in time. It was dropped where it stood.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("cannot {step} within {} ms", limit.as_millis())]
struct TooLate {
    step: &'static str,
    limit: Duration,
}

/// Runs a step, and drops it when its time is up.
async fn within<Step: Future>(
    limit: Duration,
    step: &'static str,
    future: Step,
) -> Result<Step::Output, TooLate> {
    let ended = timeout(limit, future).await;
    ended.map_err(|_elapsed| TooLate { step, limit })
}

/// Each step may take 100 ms.
async fn order() -> Result<()> {
    let limit = Duration::from_millis(100);
    within(limit, "charge the card", charge()).await?;
    within(limit, "reserve the goods", reserve()).await?;
    within(limit, "ship", ship()).await?;
    Ok(())
}
// ANCHOR_END: within

async fn charge() {}

async fn reserve() {
    std::future::pending().await
}

async fn ship() {}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match order().await {
        Ok(()) => println!("shipped"),
        Err(error) => println!("not shipped: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_step_and_its_limit_are_told() {
        let error = order().await.expect_err("a step hangs");
        let late = error.downcast_ref::<TooLate>().expect("in time");
        assert_eq!(late.step, "reserve the goods");
        assert_eq!(late.limit, Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_in_time_is_returned() {
        let five = within(Duration::ZERO, "count", async { 5 }).await;
        assert_eq!(five, Ok(5));
    }
}
