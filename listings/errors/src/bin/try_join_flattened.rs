//! Each handle is flattened first, and owns its task.

// ANCHOR: order
use tokio::{
    time::{Duration, sleep},
    try_join,
};
use tokio_util::task::AbortOnDropHandle;

/// Runs this in a task, which ends with the returned future.
async fn in_a_task(
    work: impl Future<Output = Result<(), String>> + Send + 'static,
) -> Result<(), String> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    // One layer is left: a panic is an error like the others.
    task.await.map_err(|panic| panic.to_string())?
}

/// Charges and packs side by side; the first error ends both.
async fn order(number: u32) -> Result<(), String> {
    let charged = in_a_task(charge(number));
    let packed = in_a_task(pack(number));
    try_join!(charged, packed)?;
    Ok(())
}
// ANCHOR_END: order

async fn charge(number: u32) -> Result<(), String> {
    sleep(Duration::from_millis(10)).await;
    Err(format!("order {number}: the card has expired"))
}

async fn pack(number: u32) -> Result<(), String> {
    sleep(Duration::from_secs(60)).await;
    println!("order {number} is packed");
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = tokio::time::Instant::now();
    let error = order(7).await.err().unwrap_or_default();
    println!("{error}, after {} ms", start.elapsed().as_millis());
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_error_does_not_wait() {
        let start = Instant::now();
        assert!(order(7).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }
}
