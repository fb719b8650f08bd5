//! Fails: other_tasks_run_meanwhile, other_tasks_run_between_items_that_compute
//! It looks at the clock before each item, but never gives control back, and starves the others until the limit.

use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio::time::{Instant, timeout};

pub async fn drain<S, F, Fut>(source: &mut S, limit: Duration, mut handle: F) -> usize
where
    S: Stream + Unpin,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = ()>,
{
    let start = Instant::now();
    let mut count = 0;
    while let Some(left) = limit.checked_sub(start.elapsed()) {
        if left.is_zero() {
            break;
        }
        let Ok(Some(item)) = timeout(left, source.next()).await else {
            break;
        };
        handle(item).await;
        count += 1;
    }
    count
}
