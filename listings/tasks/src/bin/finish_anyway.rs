//! A client disconnects, but the work that it started is finished.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use OrderError::{Refused, Unfinished};
use futures::FutureExt;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

// ANCHOR: handlers
/// Runs in the handler's own future. When the client disconnects, the
/// server drops that future, possibly between the two log lines.
async fn place_in_handler(shop: &Shop, order: u32) {
    shop.log(format!("order {order}: paid"));
    shop.pack(order).await;
    assert_ne!(order, 13, "no shelf has this number");
    shop.log(format!("order {order}: sent to the warehouse"));
}

/// Runs in a task, and the handler only waits for the task. Once the
/// order has a permit, dropping this future stops only the waiting.
///
/// The permit belongs to the task, so a client that leaves doesn't
/// release it early. A repeated call places a second order.
async fn place_in_task(shop: &Arc<Shop>, order: u32) -> Placed {
    let permit = Arc::clone(&shop.permits).acquire_owned();
    let permit = timeout(PATIENCE, permit).await;
    let permit = permit.map_err(|_elapsed| Refused("busy"))?;
    let permit = permit.map_err(|_closed| Refused("shutting down"))?;
    // Before the check, so that a shutdown that starts now waits.
    let token = shop.tracker.token();
    if shop.tracker.is_closed() {
        return Err(Refused("shutting down"));
    }
    let shop = Arc::clone(shop);
    let task = tokio::spawn(async move {
        let _held = (permit, token);
        let work = place_in_handler(&shop, order);
        let work = async { timeout(LONGEST, work).await };
        let failed = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_elapsed)) => Unfinished("too slow"),
            Err(_panic) => Unfinished("panicked"),
        };
        // Logged here, because the handler may have been dropped.
        shop.log(format!("order {order}: {failed:?}, please check"));
        Err(failed)
    });
    task.await.unwrap_or(Err(Unfinished("cut off")))
}
// ANCHOR_END: handlers

// ANCHOR: shutdown
type Placed = Result<(), OrderError>;

#[derive(Debug, PartialEq)]
enum OrderError {
    /// Nothing has happened, so the client may try again.
    Refused(&'static str),
    /// The order may be paid, and somebody must check it.
    Unfinished(&'static str),
}

/// Limits how long a client waits for a permit.
const PATIENCE: Duration = Duration::from_secs(5);

/// Limits how long a warehouse that hangs can keep a permit.
const LONGEST: Duration = Duration::from_secs(60);

impl Shop {
    /// Refuses new orders, and waits for the orders in progress.
    ///
    /// # Errors
    ///
    /// The number of orders that were unfinished at the time limit.
    async fn shut_down(&self, limit: Duration) -> Result<(), usize> {
        self.tracker.close();
        self.permits.close();
        let ended = timeout(limit, self.tracker.wait()).await;
        ended.map_err(|_elapsed| self.tracker.len())
    }
}
// ANCHOR_END: shutdown

struct Shop {
    permits: Arc<Semaphore>,
    tracker: TaskTracker,
    warehouse_takes: Duration,
    lines: Mutex<Vec<String>>,
}

impl Shop {
    fn new(warehouse_takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(4)),
            tracker: TaskTracker::new(),
            warehouse_takes,
            lines: Mutex::default(),
        })
    }

    async fn pack(&self, _order: u32) {
        #[cfg(test)]
        let _guard = tests::PanicsInDrop(_order);
        sleep(self.warehouse_takes).await;
    }

    fn log(&self, line: String) {
        println!("{line}");
        let lines = self.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// A client that waits for 50 ms, and then disconnects.
async fn impatient<T>(handler: impl Future<Output = T>) -> Option<T> {
    let patience = Duration::from_millis(50);
    let answer = timeout(patience, handler).await.ok();
    if answer.is_none() {
        println!("the client has disconnected");
    }
    answer
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shop = Shop::new(Duration::from_millis(100));
    impatient(place_in_handler(&shop, 1)).await;
    impatient(place_in_task(&shop, 2)).await;
    impatient(place_in_task(&shop, 13)).await;

    match shop.shut_down(Duration::from_secs(10)).await {
        Ok(()) => println!("all work has ended"),
        Err(left) => println!("{left} orders were cut off"),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shop() -> Arc<Shop> {
        Shop::new(Duration::from_millis(100))
    }

    fn lines(shop: &Shop) -> Vec<String> {
        shop.lines.lock().expect("no holder panics").clone()
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_places_the_order_wholly_or_not_at_all() {
        at_every_poll(async |cancel| {
            let shop = shop();
            cancel.run(place_in_task(&shop, 2)).await;
            shop.shut_down(LIMIT).await.expect("it ends in time");
            assert!([0, 2].contains(&lines(&shop).len()));
            assert_eq!(shop.permits.available_permits(), 4);
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_returned_and_logged_without_a_client() {
        let shop = shop();
        let placed = place_in_task(&shop, 13).await;
        assert_eq!(placed, Err(Unfinished("panicked")));
        assert_eq!(impatient(place_in_task(&shop, 13)).await, None);
        shop.shut_down(LIMIT).await.expect("it ends in time");
        let lines = lines(&shop);
        let panicked =
            lines.iter().filter(|it| it.contains("panicked"));
        assert_eq!(panicked.count(), 2);
        assert_eq!(shop.permits.available_permits(), 4);
    }

    pub struct PanicsInDrop(pub u32);

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if self.0 == 99 {
                std::panic::resume_unwind(Box::new("in `drop`"));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_limit_is_logged() {
        let shop = Shop::new(HOUR);
        let placed = place_in_task(&shop, 99).await;
        assert_eq!(placed, Err(Unfinished("panicked")));
        assert_eq!(lines(&shop).len(), 2);
        assert_eq!(shop.permits.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_clients_that_leave_release_no_permit() {
        let shop = shop();
        let clients = (20..40).map(|order| {
            let work = place_in_task(&shop, order);
            timeout(Duration::from_millis(1), work)
        });
        join_all(clients).await;
        assert_eq!(shop.tracker.len(), 4);
        shop.shut_down(LIMIT).await.expect("it ends in time");
        // Paid and sent; the other clients left without a permit.
        assert_eq!(lines(&shop).len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_new_orders_and_finishes_the_others() {
        let shop = shop();
        impatient(place_in_task(&shop, 2)).await;
        shop.shut_down(LIMIT).await.expect("it ends in time");
        assert_eq!(lines(&shop).len(), 2);
        let late = place_in_task(&shop, 3).await;
        assert_eq!(late, Err(Refused("shutting down")));
    }

    /// The order is paid, so it isn't refused.
    #[test]
    fn stop_of_the_runtime_leaves_an_unfinished_order() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let shop = shop();
        let mut placing = Box::pin(place_in_task(&shop, 2));
        runtime.block_on(async {
            assert!(futures::poll!(&mut placing).is_pending());
            tokio::task::yield_now().await;
        });
        drop(runtime);
        assert_eq!(lines(&shop), ["order 2: paid"]);
        let placed = placing.now_or_never();
        assert_eq!(placed, Some(Err(Unfinished("cut off"))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_warehouse_does_not_hold_the_shutdown() {
        let shop = Shop::new(HOUR);
        let clients = (20..30).map(|it| place_in_task(&shop, it));
        let clients = clients.map(|it| timeout(LIMIT, it));
        let clients = join_all(clients);
        let stop = async {
            sleep(Duration::from_millis(1)).await;
            within(2 * LIMIT, shop.shut_down(LIMIT)).await
        };
        let (clients, stopped) = tokio::join!(clients, stop);
        assert_eq!(stopped, Err(4));
        // Those that waited for a permit were refused.
        let refused = clients.into_iter().flatten();
        let refused =
            refused.filter(|it| *it == Err(Refused("shutting down")));
        assert_eq!(refused.count(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_warehouse_releases_the_permits() {
        let shop = Shop::new(HOUR);
        let clients = (20..30).map(|it| place_in_task(&shop, it));
        let placed = within(HOUR, join_all(clients)).await;
        let late = placed
            .iter()
            .filter(|it| **it == Err(Unfinished("too slow")));
        assert_eq!(late.count(), 4);
        assert_eq!(shop.permits.available_permits(), 4);
        let lines = lines(&shop);
        let reported =
            lines.iter().filter(|it| it.contains("too slow"));
        assert_eq!(reported.count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_orders_refuse_clients_that_wait_for_too_long() {
        let shop = Shop::new(2 * PATIENCE);
        let clients = (20..30).map(|it| place_in_task(&shop, it));
        let placed = join_all(clients).await;
        let (done, refused): (Vec<_>, Vec<_>) =
            placed.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 4);
        let busy = |it: &Placed| *it == Err(Refused("busy"));
        assert_eq!(refused.len(), 6);
        assert!(refused.iter().all(busy));
        // Nothing has happened to those that were refused.
        assert_eq!(lines(&shop).len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_time_limit() {
        let idle = shop();
        assert_eq!(idle.shut_down(Duration::ZERO).await, Ok(()));
        let shop = shop();
        impatient(place_in_task(&shop, 2)).await;
        assert_eq!(shop.shut_down(Duration::ZERO).await, Err(1));
        assert_eq!(shop.shut_down(Duration::MAX).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_second_call_is_a_second_order() {
        let shop = shop();
        impatient(place_in_task(&shop, 2)).await;
        assert_eq!(place_in_task(&shop, 2).await, Ok(()));
        assert_eq!(lines(&shop).len(), 4);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_accepted_or_refused_nothing_is_cut_off() {
        for _ in 0..50 {
            let shop = Shop::new(Duration::from_millis(1));
            let clients = (20..30).map(|order| {
                let shop = Arc::clone(&shop);
                tokio::spawn(async move {
                    place_in_task(&shop, order).await
                })
            });
            let clients: Vec<_> = clients.collect();
            shop.shut_down(LIMIT).await.expect("it ends in time");
            let done = lines(&shop).len();
            let placed = join_all(clients).await;
            let placed =
                placed.iter().filter(|it| matches!(it, Ok(Ok(()))));
            assert_eq!(done, 2 * placed.count());
        }
    }
}
