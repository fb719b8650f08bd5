//! Start a task for each order and take the results as they finish.

// ANCHOR: ship_all
use tokio::task::{JoinError, JoinSet};

#[derive(Debug, Default)]
struct Summary {
    shipped: Vec<u32>,
    refused: Vec<OutOfStock>,
    panicked: Vec<JoinError>,
}

/// Ships all orders at the same time, each in a task of its own.
///
/// Dropping this future drops the set, which aborts the tasks that
/// are still running. One order's failure leaves the others alone.
async fn ship_all(orders: Vec<Order>) -> Summary {
    let mut tasks = JoinSet::new();
    for order in orders {
        tasks.spawn(ship(order));
    }

    let mut summary = Summary::default();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(Ok(number)) => summary.shipped.push(number),
            // The work was done, and its outcome is an error.
            Ok(Err(refusal)) => summary.refused.push(refusal),
            // The work has no outcome: its task panicked.
            Err(error) => summary.panicked.push(error),
        }
    }
    summary
}
// ANCHOR_END: ship_all

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};

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
    println!("panicked: {}", summary.panicked.len());
}

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

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
    async fn a_panic_costs_one_order() {
        let orders = [order(1, "bed"), order(2, ""), order(3, "lamp")];
        let summary = ship_all(orders.into()).await;
        assert_eq!(summary.shipped, [1]);
        assert_eq!(summary.refused[0].order, 3);
        assert!(summary.panicked[0].is_panic());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_lost_on_many_threads() {
        let orders = (0..100).map(|n| order(n, "desk")).collect();
        let mut shipped = ship_all(orders).await.shipped;
        shipped.sort();
        assert!(shipped.into_iter().eq(0..100));
    }
}
// ANCHOR_END: tests
