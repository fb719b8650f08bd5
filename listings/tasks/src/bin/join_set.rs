//! Ship every order in its own task, and collect the results.

// ANCHOR: ship_all
use std::{collections::HashMap, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};

/// Every order ends up in one of these lists.
#[derive(Debug, Default)]
struct Summary {
    shipped: Vec<u32>,
    refused: Vec<OutOfStock>,
    too_slow: Vec<u32>,
    panicked: Vec<(u32, JoinError)>,
}

/// Ships all orders concurrently, each in its own task. An order that
/// fails, panics, or hangs doesn't affect the others.
///
/// Dropping this future aborts the tasks and loses the summary.
async fn ship_all(orders: Vec<Order>) -> Summary {
    let mut tasks = JoinSet::new();
    let mut numbers = HashMap::new();
    for order in orders {
        let number = order.number;
        let task = tasks.spawn(timeout(PATIENCE, ship(order)));
        numbers.insert(task.id(), number);
    }

    let mut all = Summary::default();
    while let Some(joined) = tasks.join_next_with_id().await {
        match joined {
            Ok((_, Ok(Ok(number)))) => all.shipped.push(number),
            Ok((_, Ok(Err(refusal)))) => all.refused.push(refusal),
            Ok((id, Err(_late))) => all.too_slow.push(numbers[&id]),
            Err(e) => all.panicked.push((numbers[&e.id()], e)),
        }
    }
    all
}
// ANCHOR_END: ship_all

use std::fmt;

use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);

/// A customer's order, and how long its packing takes.
#[derive(Clone)]
struct Order {
    number: u32,
    item: &'static str,
    packing: Duration,
}

#[derive(Debug, PartialEq)]
struct OutOfStock {
    order: u32,
    item: &'static str,
}

impl fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {}: no {} in stock", self.order, self.item)
    }
}

impl std::error::Error for OutOfStock {}

/// Packs an order and returns its number.
async fn ship(order: Order) -> Result<u32, OutOfStock> {
    assert!(!order.item.is_empty(), "an order names its item");
    sleep(order.packing).await;
    match order.item {
        "lamp" => {
            Err(OutOfStock { order: order.number, item: order.item })
        }
        _ => Ok(order.number),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let order = |number, item, millis| Order {
        number,
        item,
        packing: Duration::from_millis(millis),
    };
    let orders = vec![
        order(1, "desk", 300),
        order(2, "lamp", 200),
        order(3, "chair", 100),
    ];

    let start = Instant::now();
    let summary = ship_all(orders).await;
    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  all orders are done");
    println!("shipped, as they finished: {:?}", summary.shipped);
    for refusal in &summary.refused {
        println!("refused: {refusal}");
    }
    println!("too slow: {:?}", summary.too_slow);
    println!("panicked: {}", summary.panicked.len());
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    // ANCHOR: tests
    fn order(number: u32, item: &'static str) -> Order {
        // The higher the number, the sooner it is packed.
        let packing = Duration::from_millis(100 - u64::from(number));
        Order { number, item, packing }
    }

    #[tokio::test(start_paused = true)]
    async fn results_come_as_they_finish() {
        let start = Instant::now();
        let orders = vec![order(1, "desk"), order(2, "chair")];
        assert_eq!(ship_all(orders).await.shipped, [2, 1]);
        assert_eq!(start.elapsed(), Duration::from_millis(99));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_costs_one_order_and_is_reported_with_it() {
        let orders = [order(1, "bed"), order(2, ""), order(3, "lamp")];
        let summary = ship_all(orders.into()).await;
        assert_eq!(summary.shipped, [1]);
        assert_eq!(summary.refused[0].order, 3);
        let (number, error) = &summary.panicked[0];
        assert_eq!(*number, 2);
        assert!(error.to_string().contains("names its item"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_nothing() {
        let orders = (0..100).map(|n| order(n, "desk")).collect();
        let mut shipped = ship_all(orders).await.shipped;
        shipped.sort();
        assert!(shipped.into_iter().eq(0..100));
    }
    // ANCHOR_END: tests

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_or_all() {
        for panics in some_panic(10) {
            let orders = (0..10).map(|place| {
                let item =
                    if panics.contains(&place) { "" } else { "desk" };
                order(place as u32, item)
            });
            let work = ship_all(orders.collect());
            let summary = within(HOUR, work).await;
            assert_eq!(summary.shipped.len(), 10 - panics.len());
            let mut numbers: Vec<_> =
                summary.panicked.iter().map(|(n, _)| *n).collect();
            numbers.sort();
            assert!(
                numbers
                    .into_iter()
                    .eq(panics.iter().map(|&it| it as u32))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_holds_the_others_for_a_limited_time() {
        let mut orders = vec![order(1, "desk"), order(2, "bed")];
        orders[0].packing = 2 * HOUR;
        let summary = within(HOUR, ship_all(orders)).await;
        assert_eq!(summary.too_slow, [1]);
        assert_eq!(summary.shipped, [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_all_is_reported_for_each() {
        let orders = (0..5).map(|n| order(n, "lamp")).collect();
        let refused = ship_all(orders).await.refused;
        let numbers = refused.iter().map(|it| it.order);
        assert!(numbers.eq((0..5).rev()));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let orders = (0..5).map(|n| order(n, "desk")).collect();
            cancel.run(ship_all(orders)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_order_and_the_same_number_twice() {
        assert!(ship_all(Vec::new()).await.shipped.is_empty());
        let twice = vec![order(7, "desk"), order(7, "bed")];
        assert_eq!(ship_all(twice).await.shipped, [7, 7]);
    }
}
