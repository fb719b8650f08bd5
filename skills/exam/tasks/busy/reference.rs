//! `yield_now` lets others run after each item, and the clock is read before each, since `timeout` never looks if an item is ready.

use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

pub async fn drain<S, F, Fut>(source: &mut S, limit: Duration, mut handle: F) -> usize
where
    S: Stream + Unpin,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = ()>,
{
    let (start, mut count) = (Instant::now(), 0);
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return count;
        }
        let Ok(Some(item)) = timeout(left, source.next()).await else {
            return count;
        };
        handle(item).await;
        count += 1;
        // Not `consume_budget`, which lets 128 items pass, however long they compute.
        yield_now().await;
    }
}
