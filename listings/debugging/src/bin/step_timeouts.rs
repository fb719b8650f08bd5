//! A limit for each step tells which one hangs.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

// ANCHOR: steps
/// Runs a step, for ten seconds at most. The error says which one.
async fn step<T>(
    name: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let limit = Duration::from_secs(10);
    let ended = timeout(limit, work)
        .await
        .with_context(|| format!("{name}: no end after {limit:?}"))?;
    ended.with_context(|| format!("{name} failed"))
}

async fn place_order(order: u32) -> Result<()> {
    step("reserve the stock", reserve(order)).await?;
    step("charge the card", charge(order)).await?;
    step("tell the warehouse", tell(order)).await
}
// ANCHOR_END: steps

async fn reserve(_order: u32) -> Result<()> {
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// The bank says nothing.
async fn charge(_order: u32) -> Result<()> {
    std::future::pending().await
}

async fn tell(_order: u32) -> Result<()> {
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match place_order(7).await.context("order 7") {
        Ok(()) => println!("order 7 is placed"),
        Err(error) => println!("{error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_error_names_the_step_that_hangs() {
        let error =
            place_order(7).await.expect_err("the bank is silent");
        assert!(
            error.to_string().starts_with("charge the card: no end")
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_step_that_fails_keeps_its_own_error() {
        let work = async { anyhow::bail!("no stock") };
        let failed: Result<()> = step("reserve", work).await;
        let error = failed.expect_err("there is no stock");
        assert_eq!(format!("{error:#}"), "reserve failed: no stock");
    }
}
