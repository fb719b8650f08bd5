//! Wrong: the condition doesn't stop the branch from being evaluated.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: wrong
/// Wrong: `, if` only prevents the future from being *polled*. The
/// expression that creates it is evaluated anyway, and panics here.
async fn next(coupon: Option<Coupon>) -> &'static str {
    let has_coupon = coupon.is_some();
    tokio::select! {
        () = coupon.expect("there is one").expired(), if has_coupon => {
            "the coupon has expired"
        }
        () = sleep(Duration::from_millis(100)) => "checked out",
    }
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_without_a_coupon_nothing_expires() {
        // The mistake: the expression is evaluated, and panics.
        assert!(tokio::spawn(next(None)).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_expression_is_evaluated_on_many_threads() {
        assert!(tokio::spawn(next(None)).await.is_err());
    }
}
