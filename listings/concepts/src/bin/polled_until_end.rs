//! What is ready is kept, and not polled again.

use std::{future::poll_fn, pin::pin, task::Poll};

use futures::future::maybe_done;

// ANCHOR: both
/// Polls both, each until it is ready.
///
/// There is a macro for this, which the page names. Take that.
async fn both(
    one: impl Future<Output = u32>,
    other: impl Future<Output = u32>,
) -> u32 {
    let mut one = pin!(maybe_done(one));
    let mut other = pin!(maybe_done(other));
    poll_fn(|context| {
        let one = one.as_mut().poll(context);
        let other = other.as_mut().poll(context);
        match (one, other) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    let taken = [one.take_output(), other.take_output()];
    taken.into_iter().flatten().sum()
}
// ANCHOR_END: both

async fn at_once() -> u32 {
    1
}

async fn later() -> u32 {
    tokio::task::yield_now().await;
    2
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match tokio::spawn(both(at_once(), later())).await {
        Ok(sum) => println!("{sum}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_are_waited_for() {
        assert_eq!(both(at_once(), later()).await, 3);
        assert_eq!(both(later(), at_once()).await, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_are_waited_for_on_many_threads() {
        assert_eq!(both(later(), later()).await, 4);
    }
}
