//! Wrong: a finished future is polled again.

use std::{future::poll_fn, pin::pin, task::Poll};

// ANCHOR: wrong
/// Wrong: polls both futures until both are ready, so the future
/// that is ready first is polled again after that.
async fn both(
    one: impl Future<Output = u32>,
    other: impl Future<Output = u32>,
) -> u32 {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        let one = one.as_mut().poll(context);
        let other = other.as_mut().poll(context);
        match (one, other) {
            (Poll::Ready(one), Poll::Ready(other)) => {
                Poll::Ready(one + other)
            }
            _ => Poll::Pending,
        }
    })
    .await
}
// ANCHOR_END: wrong

async fn immediate() -> u32 {
    1
}

async fn later() -> u32 {
    tokio::task::yield_now().await;
    2
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match tokio::spawn(both(immediate(), later())).await {
        Ok(sum) => println!("{sum}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn again_polled_until_both_are_ready() {
        let joined = tokio::spawn(both(immediate(), later())).await;
        let error = joined.expect_err("it panics").to_string();
        assert!(error.contains("resumed after completion"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_panics_with_any_waker() {
        let caught = std::panic::catch_unwind(|| {
            let mut future = pin!(immediate());
            let mut context = Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(&mut context).is_ready());
            future.as_mut().poll(&mut context)
        });
        assert!(caught.is_err());
    }
}
