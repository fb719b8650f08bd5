//! Pay, cancel the reminder, and ship.

// ANCHOR: order
use std::time::Duration;

use tokio::{task::JoinError, time::sleep};

/// Ships the order when it is paid.
async fn order() -> Result<(), JoinError> {
    let payment = tokio::spawn(pay());
    let reminder = tokio::spawn(remind());

    let paid = payment.await;
    reminder.abort();
    paid?;
    sleep(Duration::from_millis(100)).await;
    println!("shipped");
    Ok(())
}

async fn pay() {
    sleep(Duration::from_millis(200)).await;
    println!("paid");
}

async fn remind() {
    sleep(Duration::from_millis(400)).await;
    println!("please pay");
}
// ANCHOR_END: order

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    order().await
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_order_is_shipped_after_payment_and_packing() {
        let start = Instant::now();
        order().await.expect("no panic");
        assert_eq!(start.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn payment_comes_before_the_reminder() {
        let start = Instant::now();
        pay().await;
        assert_eq!(start.elapsed(), Duration::from_millis(200));
        remind().await;
        assert_eq!(start.elapsed(), Duration::from_millis(600));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_is_the_same_on_many_threads() {
        let start = Instant::now();
        tokio::spawn(order())
            .await
            .expect("no panic")
            .expect("no panic in a task");
        assert!(start.elapsed() >= Duration::from_millis(300));
    }
}
