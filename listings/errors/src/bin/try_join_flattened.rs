//! Flatten each handle first, and let each handle own its task.

// ANCHOR: order
use anyhow::{Context, Result, anyhow};
use tokio::{
    time::{Duration, sleep},
    try_join,
};
use tokio_util::task::AbortOnDropHandle;

/// Runs a step in a task, which is aborted if this future is dropped.
async fn in_a_task(
    step: &'static str,
    work: impl Future<Output = Result<()>> + Send + 'static,
) -> Result<()> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    // One layer is left: a panic is now an error like any other.
    match task.await {
        Ok(ended) => ended.context(step),
        Err(panic) => Err(anyhow!(panic).context(step)),
    }
}

/// Charges and packs concurrently. The first error aborts the other
/// step at its next `.await`, without undoing anything.
async fn order(number: u32) -> Result<()> {
    let charged = in_a_task("charge", charge(number));
    let packed = in_a_task("pack", pack(number));
    try_join!(charged, packed)?;
    Ok(())
}
// ANCHOR_END: order

async fn charge(number: u32) -> Result<()> {
    sleep(Duration::from_millis(10)).await;
    match number {
        7 => Err(anyhow!("order {number}: the card has expired")),
        8 => panic!("order {number}: no such card"),
        _ => Ok(()),
    }
}

async fn pack(number: u32) -> Result<()> {
    sleep(Duration::from_secs(60)).await;
    println!("order {number} is packed");
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = tokio::time::Instant::now();
    if let Err(error) = order(7).await {
        let after = start.elapsed().as_millis();
        println!("{error:#}, after {after} ms");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_is_returned_without_waiting_for_the_other() {
        let start = Instant::now();
        let error = order(7).await.expect_err("it fails");
        assert_eq!(start.elapsed(), Duration::from_millis(10));
        let line = format!("{error:#}");
        assert_eq!(line, "charge: order 7: the card has expired");
        hazards::no_task_left().await;
        assert!(order(9).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_returned_with_its_step_and_message() {
        let error = order(8).await.expect_err("it panics");
        let line = format!("{error:#}");
        assert!(line.starts_with("charge: "), "{line}");
        assert!(line.contains("no such card"), "{line}");
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_both_tasks() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(order(9)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_both_tasks() {
        let owner = tokio::spawn(order(9));
        sleep(Duration::from_millis(20)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        let owner = tokio::spawn(order(7));
        assert!(owner.await.expect("no panic").is_err());
    }
}
