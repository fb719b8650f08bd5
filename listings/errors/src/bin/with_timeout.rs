//! A timeout whose error names the step and its limit.

// ANCHOR: within
use anyhow::Result;
use tokio::time::{Duration, timeout};

/// A step took too long, and was dropped at its current `.await`.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("cannot {step} within {} ms", limit.as_millis())]
struct TooLate {
    step: &'static str,
    limit: Duration,
}

/// Runs a step, and drops it when its time is up. A step that blocks
/// its thread can't be interrupted.
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
    async fn silence_names_the_step_and_its_limit() {
        let error = order().await.expect_err("a step hangs");
        let late = error.downcast_ref::<TooLate>().expect("in time");
        assert_eq!(late.step, "reserve the goods");
        assert_eq!(late.limit, Duration::from_millis(100));
        assert!(format!("{error:#}").contains("reserve the goods"));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_steps_are_waited_for_within_the_limit() {
        let limit = Duration::from_millis(100);
        let slow = tokio::time::sleep(Duration::from_millis(99));
        assert_eq!(within(limit, "wait", slow).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_time_and_all_the_time() {
        let five = within(Duration::ZERO, "count", async { 5 }).await;
        assert_eq!(five, Ok(5));
        let five = within(Duration::MAX, "count", async { 5 }).await;
        assert_eq!(five, Ok(5));
        let hangs = std::future::pending::<()>();
        assert!(within(Duration::ZERO, "hang", hangs).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_step_is_its_own() {
        let fails = async { Err::<(), &str>("no goods") };
        let limit = Duration::from_millis(100);
        let ended = within(limit, "reserve", fails).await;
        assert_eq!(ended, Ok(Err("no goods")));
    }

    #[tokio::test(start_paused = true)]
    async fn clock_limits_of_less_than_a_millisecond() {
        let limit = Duration::from_micros(1);
        let slow = tokio::time::sleep(Duration::from_millis(9));
        let late = within(limit, "wait", slow).await;
        assert_eq!(late, Err(TooLate { step: "wait", limit }));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_step() {
        hazards::at_every_poll(async |cancel| {
            let step = std::sync::Arc::new(());
            let held = std::sync::Arc::clone(&step);
            let work = async move {
                tokio::task::yield_now().await;
                drop(held);
            };
            let limit = Duration::from_secs(1);
            cancel.run(within(limit, "work", work)).await;
            assert_eq!(std::sync::Arc::strong_count(&step), 1);
        })
        .await;
    }
}
