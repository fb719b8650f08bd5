//! Fails: the_limit_holds_for_a_source_that_is_always_ready, other_tasks_run_meanwhile, other_tasks_run_between_items_that_compute, an_item_is_handled_to_its_end
//! `timeout` looks at the clock only when the work is pending, and cuts an item that is being handled.

use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio::time::timeout;

pub async fn drain<S, F, Fut>(source: &mut S, limit: Duration, mut handle: F) -> usize
where
    S: Stream + Unpin,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut count = 0;
    let work = async {
        while let Some(item) = source.next().await {
            handle(item).await;
            count += 1;
        }
    };
    _ = timeout(limit, work).await;
    count
}
