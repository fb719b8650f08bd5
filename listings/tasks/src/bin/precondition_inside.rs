//! The condition is inside the future, so nothing is evaluated early.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: next
/// Waits for the checkout, or until the coupon expires, if there is
/// one. Dropping this future drops both.
async fn next(coupon: Option<Coupon>) -> &'static str {
    let expired = async {
        match coupon {
            Some(coupon) => coupon.expired().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = expired => "the coupon has expired",
        () = sleep(Duration::from_millis(100)) => "checked out",
    }
}
// ANCHOR_END: next

async fn ring(coupon: Option<Coupon>) -> &'static str {
    match tokio::spawn(next(coupon)).await {
        Ok(what) => what,
        Err(_) => "it panicked",
    }
}

/// Valid until it expires.
struct Coupon {
    left: Duration,
}

impl Coupon {
    async fn expired(self) {
        sleep(self.left).await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let coupon = Coupon { left: Duration::from_millis(50) };
    println!("with a coupon:    {}", ring(Some(coupon)).await);
    println!("without a coupon: {}", ring(None).await);
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn edges_without_a_coupon_nothing_expires() {
        assert_eq!(next(None).await, "checked out");
        let coupon = Coupon { left: Duration::from_millis(50) };
        assert_eq!(next(Some(coupon)).await, "the coupon has expired");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_any_poll_is_fine() {
        at_every_poll(async |cancel| {
            let coupon = Coupon { left: Duration::from_millis(50) };
            cancel.run(next(Some(coupon))).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_coupon_does_not_hold_the_checkout() {
        let coupon = Coupon { left: 2 * HOUR };
        assert_eq!(
            within(HOUR, next(Some(coupon))).await,
            "checked out"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_panic() {
        let coupon = Coupon { left: Duration::ZERO };
        assert_eq!(next(Some(coupon)).await, "the coupon has expired");
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_pending_future_keeps_else_from_running() {
        let never = async {
            tokio::select! {
                () = std::future::pending() => "never",
                Some(()) = async { None } => "no",
                else => "else",
            }
        };
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, never).await.is_err());
    }
}
