//! Wrong: `try_join!` over handles doesn't see the tasks' errors.

// ANCHOR: wrong
use tokio::{
    time::{Duration, sleep},
    try_join,
};

/// Charges and packs concurrently; the first error should stop both.
async fn order(number: u32) -> Result<(), String> {
    let charged = tokio::spawn(charge(number));
    let packed = tokio::spawn(pack(number));
    // Wrong: `try_join!` treats `Ok(Err(..))` as a success.
    let (charged, packed) = try_join!(charged, packed)
        .map_err(|panic| panic.to_string())?;
    charged.and(packed)
}
// ANCHOR_END: wrong

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
    async fn failure_is_returned_without_waiting_for_the_other() {
        // It does wait.
        let start = Instant::now();
        assert!(order(7).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    }
}
