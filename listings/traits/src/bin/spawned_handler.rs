//! Spawn an async handler: give its future's type a name.

// ANCHOR: for_each
use std::collections::BTreeMap;

use tokio::task::JoinError;
use tokio_util::task::JoinMap;

/// Calls a handler for every order in its own task, at most `limit` at
/// a time. Returns the outcomes in input order; a panic in a handler's
/// future is an outcome, too. A handler that never returns keeps its
/// slot, so give it a timeout. Canceling this call aborts the tasks.
async fn for_each<F, Fut>(
    orders: &[u32],
    limit: usize,
    handler: F,
) -> Vec<Result<Fut::Output, JoinError>>
where
    F: Fn(u32) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    let mut waiting = orders.iter().enumerate();
    let mut tasks = JoinMap::new();
    let mut outcomes = BTreeMap::new();
    loop {
        while tasks.len() < limit.max(1)
            && let Some((place, order)) = waiting.next()
        {
            tasks.spawn(place, handler(*order));
        }
        match tasks.join_next().await {
            Some((place, outcome)) => outcomes.insert(place, outcome),
            None => return outcomes.into_values().collect(),
        };
    }
}
// ANCHOR_END: for_each

async fn prices() -> Vec<Result<u32, JoinError>> {
    for_each(&[1, 2, 3], 2, async |order| order * 100).await
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    for price in prices().await {
        println!("price: {}", price?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_leaves_the_others() {
        for panics in hazards::some_panic(5) {
            let orders = [0, 1, 2, 3, 4];
            let is_bad = panics.clone();
            let ended = for_each(&orders, 2, move |order| {
                let is_bad = is_bad.contains(&(order as usize));
                async move {
                    sleep(Duration::from_millis(10)).await;
                    assert!(!is_bad, "order {order}");
                    order
                }
            });
            for (place, ended) in ended.await.into_iter().enumerate() {
                match ended {
                    Ok(order) => assert_eq!(order as usize, place),
                    Err(_) => assert!(panics.contains(&place)),
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_runs_no_more_than_the_limit() {
        let running = Arc::new(AtomicUsize::new(0));
        let orders: Vec<u32> = (0..100).collect();
        let most = for_each(&orders, 4, |_| {
            let running = Arc::clone(&running);
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                sleep(Duration::from_millis(10)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                now
            }
        });
        let most = most.await.into_iter().filter_map(Result::ok).max();
        assert_eq!(most, Some(4));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_handlers_keep_the_order_of_the_orders() {
        let start = Instant::now();
        let ended = for_each(&[3, 2, 1], 3, async |order| {
            sleep(Duration::from_secs(order.into())).await;
            order
        });
        let ended: Vec<_> =
            ended.await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(ended, [3, 2, 1]);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_none_twice_the_same_and_no_limit() {
        assert!(for_each(&[], 2, async |it| it).await.is_empty());
        let twice = for_each(&[7, 7], 0, async |it| it).await;
        assert_eq!(twice.into_iter().filter_map(Result::ok).count(), 2);
        let all = for_each(&[1, 2], usize::MAX, async |it| it).await;
        assert_eq!(all.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_tasks() {
        hazards::at_every_poll(async |cancel| {
            let handler = async |_| sleep(Duration::from_secs(1)).await;
            cancel.run(for_each(&[1, 2, 3], 2, handler)).await;
            // Long before a handler would return.
            let soon = Duration::from_millis(2);
            hazards::within(soon, hazards::no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_tasks() {
        let owner = tokio::spawn(async {
            for_each(&[1], 1, async |_| sleep(hazards::HOUR).await)
                .await
        });
        sleep(Duration::from_secs(1)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_outcome() {
        let orders: Vec<u32> = (0..1000).collect();
        let ended = for_each(&orders, 8, async |order| order).await;
        let ended: Vec<_> =
            ended.into_iter().filter_map(Result::ok).collect();
        assert_eq!(ended, orders);
    }
}
