//! Wrong: the error says that the time is up, but not which step.

// ANCHOR: wrong
use anyhow::Result;
use tokio::time::{Duration, timeout};

/// Each step may take 100 ms.
async fn order() -> Result<()> {
    let limit = Duration::from_millis(100);
    // Wrong: `Elapsed` contains neither the step nor the limit.
    timeout(limit, charge()).await?;
    timeout(limit, reserve()).await?;
    timeout(limit, ship()).await?;
    Ok(())
}
// ANCHOR_END: wrong

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
    async fn silence_names_the_step_and_its_limit() {
        let error = order().await.expect_err("a step hangs");
        assert_eq!(format!("{error:#}"), "deadline has elapsed");
    }
}
