//! The handle owns its task, so the timeout ends it.

use std::time::Duration;

use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: charge_in_time
/// Charges a card, or gives up after 100 ms, and then it is not
/// charged, as far as this program goes.
async fn charge_in_time(cents: u32) -> Result<u32, Elapsed> {
    let task = AbortOnDropHandle::new(tokio::spawn(charge(cents)));
    let joined = timeout(Duration::from_millis(100), task).await?;
    Ok(joined.expect("charging does not panic"))
}
// ANCHOR_END: charge_in_time

/// Charges a card, which takes a second, and tells when it is done.
async fn charge(cents: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    println!("{cents} cents are charged");
    cents
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match charge_in_time(1250).await {
        Ok(_) => println!("thank you"),
        Err(error) => println!("please try again: {error}"),
    }
    sleep(Duration::from_secs(3600)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_has_ended() {
        assert!(charge_in_time(1).await.is_err());
        let handle = tokio::runtime::Handle::current();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(handle.metrics().num_alive_tasks(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        assert!(charge_in_time(1).await.is_err());
        let metrics = tokio::runtime::Handle::current().metrics();
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
