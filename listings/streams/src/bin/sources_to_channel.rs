//! A task for each shop, and one queue for all of them.

// ANCHOR: all_orders
use futures::{FutureExt, StreamExt, stream::BoxStream};
use std::{any::Any, panic::AssertUnwindSafe};
use tokio::time::{Duration, timeout};
use tokio::{sync::mpsc, task::JoinSet};

const LIMIT: Duration = Duration::from_secs(10);

/// Writes the orders of all shops. The queue bounds how far they run
/// ahead. A shop that panics is an event, and the others continue.
///
/// If dropped, it aborts the tasks, and drops the event that is being
/// written, the orders in the queue, and one order per task.
///
/// # Errors
///
/// The first write that fails or takes more than ten seconds, with its
/// event. Then the tasks are aborted, and the other orders dropped.
async fn write_all<F: Future<Output = io::Result<()>>>(
    shops: Vec<BoxStream<'static, u32>>,
    mut write: impl FnMut(Event) -> F,
) -> Result<(), Unwritten> {
    let (queue, mut events) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    for (shop, orders) in shops.into_iter().enumerate() {
        tasks.spawn(forward(shop, orders, queue.clone()));
    }
    drop(queue);
    while let Some(event) = events.recv().await {
        let written = timeout(LIMIT, write(event.clone())).await;
        written
            .map_err(io::Error::from)
            .flatten()
            .map_err(|source| Unwritten { event, source })?;
    }
    Ok(())
}
// ANCHOR_END: all_orders

// ANCHOR: forward
/// Sends the orders of one shop, and then how it ended.
async fn forward(
    shop: usize,
    mut orders: BoxStream<'static, u32>,
    queue: mpsc::Sender<Event>,
) -> Result<(), mpsc::error::SendError<Event>> {
    let sending = async {
        while let Some(order) = orders.next().await {
            queue.send(Event::Order { shop, order }).await?;
        }
        Ok(())
    };
    match AssertUnwindSafe(sending).catch_unwind().await {
        Ok(sent) => sent?,
        Err(panic) => {
            let text = message(panic);
            return queue.send(Event::Panicked { shop, text }).await;
        }
    }
    queue.send(Event::Closed { shop }).await
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Order { shop: usize, order: u32 },
    Closed { shop: usize },
    Panicked { shop: usize, text: String },
}

/// The text of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => "no text".to_owned(),
        },
    }
}
// ANCHOR_END: forward

/// After a timeout, the event may have been written anyway.
#[derive(Debug, thiserror::Error)]
#[error("{event:?} wasn't written")]
struct Unwritten {
    event: Event,
    source: io::Error,
}

use std::io;

use futures::stream;
use tokio::time::sleep;

/// Two orders, each after this time.
fn orders(milliseconds: u64) -> BoxStream<'static, u32> {
    let orders = stream::iter(1..=2);
    let orders = orders.then(move |order| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        order
    });
    orders.boxed()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Unwritten> {
    let shops = vec![orders(20), orders(30)];
    let print = |event| {
        println!("{event:?}");
        std::future::ready(Ok(()))
    };
    write_all(shops, print).await
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// What was written within an hour.
    async fn written(
        shops: Vec<BoxStream<'static, u32>>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let write = |event| {
            events.push(event);
            ready(Ok(()))
        };
        let writing = write_all(shops, write);
        timeout(HOUR, writing).await.ok();
        no_task_left().await;
        events
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_shops_leaves_the_others() {
        for panics in some_panic(5) {
            let shops =
                (0..5).map(|shop| match panics.contains(&shop) {
                    true => {
                        let broken = async move {
                            panic!("shop {shop} is broken")
                        };
                        orders(1).chain(stream::once(broken)).boxed()
                    }
                    false => orders(1),
                });
            let events = written(shops.collect()).await;
            for shop in 0..5 {
                let end = match panics.contains(&shop) {
                    true => {
                        let text = format!("shop {shop} is broken");
                        Event::Panicked { shop, text }
                    }
                    false => Event::Closed { shop },
                };
                assert!(events.contains(&end));
                let last = Event::Order { shop, order: 2 };
                assert!(events.contains(&last));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_many_shops_holds_none_of_the_others() {
        let mut shops: Vec<_> =
            (0..40).map(|_| stream::pending().boxed()).collect();
        shops.push(orders(1));
        let events = written(shops).await;
        assert_eq!(events.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writer_bounds_how_far_the_shops_run_ahead() {
        let taken = std::sync::Arc::new(Count::default());
        let shops = (0..4).map(|_| {
            let taken = taken.clone();
            let count = move |_: &u32| taken.add();
            stream::repeat(1).inspect(count).boxed()
        });
        let hangs = |_| std::future::pending();
        let writing = write_all(shops.collect(), hangs);
        let error = within(HOUR, writing).await.expect_err("it hangs");
        assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.event, Event::Order { shop: 0, order: 1 });
        // One is being written, 16 in the queue, and four in hands.
        assert_eq!(taken.count(), 1 + 16 + 4);
        no_task_left().await;
    }

    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicUsize);

    impl Count {
        fn add(&self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }

        fn count(&self) -> usize {
            self.0.load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_any_write_ends_the_tasks() {
        for fails in 0..6 {
            let (mut writes, mut last) = (0, None);
            let write = |event| {
                writes += 1;
                last = Some(event);
                let full = io::Error::other("disk full");
                ready(if writes > fails { Err(full) } else { Ok(()) })
            };
            let silent = stream::pending().boxed();
            let busy = stream::repeat(1).boxed();
            let shops = vec![orders(20), busy, silent];
            let error = write_all(shops, write).await;
            let error = error.expect_err("one write fails");
            assert_eq!(error.source.to_string(), "disk full");
            assert_eq!(Some(error.event), last);
            no_task_left().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let events = RefCell::new(Vec::new());
            let write = |event| {
                events.borrow_mut().push(event);
                ready(Ok(()))
            };
            let shops = vec![orders(20), orders(30)];
            cancel.run(write_all(shops, write)).await;
            no_task_left().await;
            assert!(events.into_inner().len() <= 6);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_no_task_is_left() {
        let shops = (0..40).map(|_| stream::repeat(1).boxed());
        let write = async |_| Ok(());
        let owner = tokio::spawn(write_all(shops.collect(), write));
        // The clock doesn't advance while these tasks are busy.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        owner.abort();
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_by_a_hundred_shops_that_are_always_ready() {
        let shops = (0..100).map(|_| stream::repeat(1).boxed());
        let mut orders = vec![0; 100];
        let mut left = 10_000;
        let count = |event| {
            if let Event::Order { shop, .. } = event {
                orders[shop] += 1;
            }
            left -= 1;
            let end = io::Error::other("enough");
            ready(if left == 0 { Err(end) } else { Ok(()) })
        };
        assert!(write_all(shops.collect(), count).await.is_err());
        let fair = 80..=120;
        assert!(
            orders.iter().all(|it| fair.contains(it)),
            "{orders:?}"
        );
        no_task_left().await;
    }

    #[tokio::test]
    async fn edges_no_shop_and_an_empty_one() {
        assert!(written(Vec::new()).await.is_empty());
        let events = written(vec![stream::empty().boxed()]).await;
        assert_eq!(events, [Event::Closed { shop: 0 }]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_deliver_each_order_before_the_end() {
        let shops = (0..200).map(|_| orders(1)).collect();
        let mut seen = vec![0; 200];
        let count = |event| {
            match event {
                Event::Order { shop, order } => {
                    seen[shop] += 1;
                    assert_eq!(seen[shop], order);
                }
                Event::Closed { shop } => assert_eq!(seen[shop], 2),
                Event::Panicked { .. } => unreachable!(),
            }
            ready(Ok(()))
        };
        assert!(write_all(shops, count).await.is_ok());
        assert_eq!(seen, [2; 200]);
    }
}
