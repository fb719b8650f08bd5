//! Give each task its own order, and a share of what all of them use.

// ANCHOR: ship_all
use std::sync::Arc;

use tokio::task::JoinSet;

/// Ships all orders at once, by one carrier, and returns a note for
/// each, in the order in which they finish.
///
/// Dropping this future aborts the shipments that are not done.
/// Panics if one of them did.
async fn ship_all(
    orders: Vec<String>,
    carrier: Carrier,
) -> Vec<String> {
    let carrier = Arc::new(carrier);
    let mut tasks = JoinSet::new();
    for order in orders {
        let carrier = Arc::clone(&carrier);
        // `move`: the task owns its order and its share of the
        // carrier. What it owns, it may lend to `ship`.
        tasks.spawn(async move { ship(&order, &carrier).await });
    }
    tasks.join_all().await
}
// ANCHOR_END: ship_all

/// Carries everything at one price.
struct Carrier {
    name: &'static str,
    price: u32,
}

async fn ship(order: &str, carrier: &Carrier) -> String {
    format!("{order}: by {} for {}", carrier.name, carrier.price)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = vec!["desk".to_owned(), "lamp".to_owned()];
    let carrier = Carrier { name: "van", price: 12 };
    for note in ship_all(orders, carrier).await {
        println!("{note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn tasks_own_what_they_use_on_many_threads() {
        let orders = (1..=100).map(|n| format!("{n:>3}")).collect();
        let carrier = Carrier { name: "van", price: 12 };
        // Spawned, so its future is `Send` and borrows nothing.
        let shipped = tokio::spawn(ship_all(orders, carrier)).await;
        let mut shipped = shipped.expect("no panic");
        shipped.sort();
        assert_eq!(shipped.len(), 100);
        assert_eq!(shipped[99], "100: by van for 12");
    }
}
