//! Keep a finished future's result, and don't poll it again.

use std::{future::poll_fn, pin::pin, task::Poll};

use futures::future::maybe_done;

// ANCHOR: both
/// Polls each future until it is ready. If this is canceled, both
/// futures are dropped.
///
/// In your own program, use `join!` instead.
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
    use std::{cell::Cell, panic::AssertUnwindSafe};

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn edges_each_may_be_ready_first() {
        assert_eq!(both(immediate(), later()).await, 3);
        assert_eq!(both(later(), immediate()).await, 3);
        assert_eq!(both(immediate(), immediate()).await, 2);
    }

    #[tokio::test]
    async fn again_polled_until_both_are_ready() {
        let twice = async {
            later().await;
            later().await
        };
        assert_eq!(both(immediate(), twice).await, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_wake_it_for_each() {
        for _ in 0..100 {
            let task = |number| {
                let task = tokio::spawn(async move { number });
                async { task.await.expect("it does not panic") }
            };
            assert_eq!(both(task(1), task(2)).await, 3);
        }
    }

    #[tokio::test]
    async fn cancel_drops_both() {
        struct Held<'a>(&'a Cell<u32>);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        hazards::at_every_poll(async |cancel| {
            let dropped = Cell::new(0);
            let part = || {
                let held = Held(&dropped);
                async {
                    let _held = held;
                    later().await
                }
            };
            cancel.run(both(part(), part())).await;
            assert_eq!(dropped.get(), 2);
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_one_reaches_the_caller() {
        let broken = async { panic!("no address") };
        let call = AssertUnwindSafe(both(later(), broken));
        assert!(call.catch_unwind().await.is_err());
    }
}
