//! A timeout for each step, so that the error names the slow one.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

// ANCHOR: steps
/// Runs a step for at most ten seconds. The error names the step.
/// After a timeout, the step may still have been done.
async fn step<T>(
    name: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let limit = Duration::from_secs(10);
    let done = timeout(limit, work)
        .await
        .with_context(|| format!("{name}: not done in {limit:?}"))?;
    done.with_context(|| format!("{name} failed"))
}

/// If a step fails, the steps before it aren't undone.
async fn place_order(order: u32) -> Result<()> {
    step("reserve the stock", reserve(order)).await?;
    step("charge the card", charge(order)).await?;
    step("notify the warehouse", notify(order)).await
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

async fn notify(_order: u32) -> Result<()> {
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
    async fn silence_of_the_bank_is_an_error_that_names_the_step() {
        let order = hazards::within(hazards::HOUR, place_order(7));
        let error = order.await.expect_err("the bank is silent");
        let start = "charge the card: not done in 10s";
        assert!(error.to_string().starts_with(start), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn failure_of_a_step_keeps_its_own_error() {
        let work = async { anyhow::bail!("no stock") };
        let failed: Result<()> = step("reserve", work).await;
        let error = failed.expect_err("there is no stock");
        assert_eq!(format!("{error:#}"), "reserve failed: no stock");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_steps_have_ten_seconds_each() {
        let slow = || async {
            sleep(Duration::from_millis(9_999)).await;
            Ok(1)
        };
        assert_eq!(step("one", slow()).await.ok(), Some(1));
        assert_eq!(step("two", slow()).await.ok(), Some(1));
        let late = async {
            sleep(Duration::from_millis(10_001)).await;
            Ok(1)
        };
        assert!(step("three", late).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_step_that_is_under_way() {
        let held = std::sync::Arc::new(());
        hazards::at_every_poll(async |cancel| {
            let mine = held.clone();
            let work = async move {
                sleep(Duration::from_secs(1)).await;
                drop(mine);
                Ok(())
            };
            cancel.run(step("reserve", work)).await;
            assert_eq!(std::sync::Arc::strong_count(&held), 1);
        })
        .await;
        // At its timeout, too.
        let mine = held.clone();
        let work = async move {
            std::future::pending::<()>().await;
            drop(mine);
            Ok(())
        };
        assert!(step("reserve", work).await.is_err());
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_step_reaches_the_caller() {
        let work = async { panic!("no stock") };
        let order = tokio::spawn(step::<()>("reserve", work));
        let error = order.await.expect_err("it panics");
        assert!(error.to_string().contains("no stock"), "{error}");
    }
}
