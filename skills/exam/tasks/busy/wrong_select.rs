//! Fails: the_limit_holds_for_a_source_that_is_always_ready, other_tasks_run_meanwhile, other_tasks_run_between_items_that_compute
//! The sleep comes first, but a timer fires only when the task gives control back to the runtime, which this one doesn't.

use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio::time::sleep;

pub async fn drain<S, F, Fut>(source: &mut S, limit: Duration, mut handle: F) -> usize
where
    S: Stream + Unpin,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut count = 0;
    let deadline = sleep(limit);
    tokio::pin!(deadline);
    loop {
        let item = tokio::select! {
            biased;
            () = &mut deadline => return count,
            item = source.next() => item,
        };
        let Some(item) = item else {
            return count;
        };
        handle(item).await;
        count += 1;
    }
}
