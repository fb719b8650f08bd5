//! What must not be evaluated stands inside of the future.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: next
/// Waits for the checkout, or for the coupon, if there is one.
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

/// Good until it expires.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_coupon_nothing_expires() {
        assert_eq!(next(None).await, "checked out");
        let coupon = Coupon { left: Duration::from_millis(50) };
        assert_eq!(next(Some(coupon)).await, "the coupon has expired");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_panics_on_many_threads() {
        let coupon = Coupon { left: Duration::ZERO };
        assert_eq!(next(Some(coupon)).await, "the coupon has expired");
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_pending_keeps_else_from_running() {
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
