//! A test tool that drops a future at each of its awaits.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    task::Poll::{Pending, Ready},
};

use tokio::task::yield_now;

// ANCHOR: tool
/// Polls a future at most `polls` times. If it is still pending
/// then, drops it and returns `None`.
async fn drop_after<F: Future>(
    polls: usize,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(context) {
            Ready(output) => Ready(Some(output)),
            // Drop it now, not when something wakes it later.
            Pending if polled == polls => Ready(None),
            Pending => Pending,
        }
    })
    .await
}

/// Calls `test` with 0 polls, with 1, with 2, and so on, until it
/// returns true because its future was ready. If the future may
/// never be woken, put a timeout around it.
///
/// Panics if the future isn't ready after 1,000 polls.
async fn at_every_await(mut test: impl AsyncFnMut(usize) -> bool) {
    for polls in 0..1000 {
        if test(polls).await {
            return;
        }
    }
    panic!("it isn't ready after 1,000 polls");
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

/// Checks the sum of both accounts, which must never change.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    at_every_await(async |polls| {
        let (from, to) = (Cell::new(100), Cell::new(0));
        let moved = drop_after(polls, transfer(&from, &to)).await;
        let sum = from.get() + to.get();
        println!("dropped after {polls} polls: the sum is {sum}");
        moved.is_some()
    })
    .await;
}
// ANCHOR_END: transfer

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{sync::Semaphore, time::sleep};

    use super::*;

    #[tokio::test]
    async fn cancel_finds_the_transfer_that_is_cut_in_two() {
        let mut sums = Vec::new();
        at_every_await(async |polls| {
            let (from, to) = (Cell::new(100), Cell::new(0));
            let moved = drop_after(polls, transfer(&from, &to)).await;
            sums.push(from.get() + to.get());
            moved.is_some()
        })
        .await;
        assert_eq!(sums, [100, 90, 100, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_futures_with_timers_are_dropped_while_they_wait() {
        let start = tokio::time::Instant::now();
        let minute = || sleep(Duration::from_secs(60));
        assert_eq!(drop_after(1, minute()).await, None);
        // It was dropped immediately, and not when its timer fired.
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(drop_after(2, minute()).await, Some(()));
    }

    #[tokio::test]
    async fn edges_a_future_that_is_ready_is_dropped_once_before() {
        let mut calls = 0;
        at_every_await(async |polls| {
            calls += 1;
            drop_after(polls, async {}).await.is_some()
        })
        .await;
        assert_eq!(calls, 2);
    }

    #[tokio::test]
    #[should_panic(expected = "isn't ready")]
    async fn stop_at_a_future_that_is_never_ready() {
        at_every_await(async |polls| {
            let never = poll_fn(|context| {
                context.waker().wake_by_ref();
                std::task::Poll::<()>::Pending
            });
            drop_after(polls, never).await.is_some()
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_needs_a_timeout_in_the_future() {
        let hour = Duration::from_secs(3600);
        let mut last = 0;
        at_every_await(async |polls| {
            last = polls;
            let never = std::future::pending::<()>();
            let limited = tokio::time::timeout(hour, never);
            drop_after(polls, limited).await.is_some()
        })
        .await;
        assert_eq!(last, 2);
    }

    #[tokio::test]
    #[should_panic(expected = "no address")]
    async fn panic_of_the_future_is_a_failure() {
        drop_after(9, async {
            yield_now().await;
            panic!("no address")
        })
        .await
        .unwrap_or(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_wake_it_from_anywhere() {
        let permits = Arc::new(Semaphore::new(0));
        for _ in 0..100 {
            let give = Arc::clone(&permits);
            let given =
                tokio::spawn(async move { give.add_permits(1) });
            let taken = drop_after(9, permits.acquire()).await;
            taken.expect("ready").expect("it is open").forget();
            given.await.expect("it does not panic");
        }
    }
}
