//! Fails: other_tasks_run_between_items_that_compute
//! A budget is 128 items, so items of 5 ms keep the thread for 640 ms.

use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio::task::consume_budget;
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
        consume_budget().await;
    }
}
