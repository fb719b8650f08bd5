//! A test tool: drop a future at each of its awaits, and look.

use std::{
    cell::Cell,
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::task::yield_now;

// ANCHOR: tool
/// Runs a future again and again, from the start: dropped before its
/// first poll, after one, after two, until it ends. Calls `check`
/// after each of these.
///
/// For futures that can go on whenever they are polled.
fn cancel_at_every_await<F: Future>(
    make: impl Fn() -> F,
    mut check: impl FnMut(usize),
) {
    let mut context = Context::from_waker(Waker::noop());
    for polls in 0.. {
        let is_done = {
            let mut future = pin!(make());
            (0..polls).any(|_| {
                let polled = future.as_mut().poll(&mut context);
                matches!(polled, Poll::Ready(_))
            })
        };
        check(polls);
        if is_done {
            return;
        }
    }
}
// ANCHOR_END: tool

// ANCHOR: transfer
/// Moves money between two accounts, in two steps.
async fn transfer(from: &Cell<i32>, to: &Cell<i32>) {
    from.set(from.get() - 10);
    yield_now().await;
    to.set(to.get() + 10);
    yield_now().await;
}

/// Looks at the sum, which must be the same at each moment.
fn main() {
    let (from, to) = (Cell::new(100), Cell::new(0));
    let make = || {
        from.set(100);
        to.set(0);
        transfer(&from, &to)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let _entered = runtime.as_ref().map(|runtime| runtime.enter());
    cancel_at_every_await(make, |polls| {
        let sum = from.get() + to.get();
        println!("dropped after {polls} polls: the sum is {sum}");
    });
}
// ANCHOR_END: transfer

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transfer_can_be_cut_in_two() {
        let (from, to) = (Cell::new(100), Cell::new(0));
        let make = || {
            from.set(100);
            to.set(0);
            transfer(&from, &to)
        };
        let mut sums = Vec::new();
        cancel_at_every_await(make, |_| {
            sums.push(from.get() + to.get())
        });
        assert_eq!(sums, [100, 90, 100, 100]);
    }

    #[test]
    fn a_future_that_is_ready_is_dropped_once_before() {
        let mut checks = 0;
        cancel_at_every_await(|| async {}, |_| checks += 1);
        assert_eq!(checks, 2);
    }
}
