//! Wrong: the timeout drops the handle, but the task keeps running.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{error::Elapsed, sleep, timeout};

// ANCHOR: wrong
/// Wrong: after 100 ms, the timeout drops the handle, not the charge.
/// The customer is asked to try again, but is charged anyway.
async fn charge_in_time(cents: u32) -> Result<u32, Elapsed> {
    let task = tokio::spawn(charge(cents));
    let joined = timeout(Duration::from_millis(100), task).await?;
    Ok(joined.expect("charging does not panic"))
}
// ANCHOR_END: wrong

/// Charges a card, which takes a second.
async fn charge(cents: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    println!("{cents} cents are charged");
    CHARGED.fetch_add(cents, Ordering::Relaxed);
    cents
}

static CHARGED: AtomicU32 = AtomicU32::new(0);

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
    use std::sync::{Arc, atomic::AtomicBool};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_bank_charges_nothing_later() {
        assert!(charge_in_time(1).await.is_err());
        // The mistake: the customer is charged all the same.
        sleep(Duration::from_secs(2)).await;
        assert_eq!(CHARGED.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_outlives_its_timeout_on_many_threads() {
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let task = tokio::spawn(async move {
            tokio::task::yield_now().await;
            flag.store(true, Ordering::Release);
        });
        drop(timeout(Duration::ZERO, task));
        while !done.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    }
}
