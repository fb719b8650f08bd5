//! Move each order into its task, and share the carrier.

// ANCHOR: ship_all
use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinError,
    time::{error::Elapsed, timeout},
};
use tokio_util::task::JoinMap;

/// Ships all orders concurrently with one carrier. Returns a note, a
/// panic, or a timeout for each order, with its index in `orders`.
///
/// Dropping this future aborts the unfinished shipments.
async fn ship_all(
    orders: Vec<String>,
    carrier: Carrier,
) -> Vec<(usize, Result<Shipped, JoinError>)> {
    let carrier = Arc::new(carrier);
    let mut tasks = JoinMap::new();
    for (place, order) in orders.into_iter().enumerate() {
        let carrier = Arc::clone(&carrier);
        // `move`: the task owns its order and a reference-counted
        // pointer to the carrier, so `ship` can borrow both.
        let work = async move { ship(&order, &carrier).await };
        tasks.spawn(place, timeout(LIMIT, work));
    }
    let mut notes = Vec::new();
    while let Some(note) = tasks.join_next().await {
        notes.push(note);
    }
    notes
}
// ANCHOR_END: ship_all

const LIMIT: Duration = Duration::from_secs(60);

type Shipped = Result<String, Elapsed>;

/// Carries everything at one price.
struct Carrier {
    name: &'static str,
    price: u32,
}

/// The order named "never" is never shipped.
async fn ship(order: &str, carrier: &Carrier) -> String {
    if order == "never" {
        std::future::pending::<()>().await;
    }
    assert!(!order.is_empty(), "an order without a name");
    format!("{order}: by {} for {}", carrier.name, carrier.price)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = vec!["desk".to_owned(), "lamp".to_owned()];
    let carrier = Carrier { name: "van", price: 12 };
    for (place, outcome) in ship_all(orders, carrier).await {
        match outcome {
            Ok(Ok(note)) => println!("{note}"),
            Ok(Err(_elapsed)) => println!("order {place}: too slow"),
            Err(error) => println!("order {place}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    const VAN: Carrier = Carrier { name: "van", price: 12 };

    #[tokio::test(start_paused = true)]
    async fn panic_costs_one_order_and_is_reported_with_it() {
        for panics in some_panic(10) {
            let mut orders = vec!["desk".to_owned(); 10];
            for &place in &panics {
                orders[place].clear();
            }
            let notes = within(HOUR, ship_all(orders, VAN)).await;
            assert_eq!(notes.len(), 10);
            for (place, outcome) in notes {
                assert_eq!(outcome.is_err(), panics.contains(&place));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let orders = vec!["desk".to_owned(), "lamp".to_owned()];
            cancel.run(ship_all(orders, VAN)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_only_the_order_that_hangs() {
        let orders = ["never", "lamp", "never"].map(str::to_owned);
        let work = ship_all(orders.to_vec(), VAN);
        let notes = within(HOUR, work).await;
        assert_eq!(notes.len(), 3);
        for (place, note) in notes {
            let note = note.expect("no panic");
            assert_eq!(note.is_ok(), place == 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_order_and_one_name_twice() {
        assert!(ship_all(Vec::new(), VAN).await.is_empty());
        let twice = vec!["\u{fc}ber".to_owned(); 2];
        let notes = ship_all(twice, VAN).await;
        assert_eq!(notes.len(), 2);
        assert!(notes.iter().all(|(_, it)| matches!(it, Ok(Ok(_)))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_own_what_they_use() {
        let orders = (1..=100).map(|n| format!("{n:>3}")).collect();
        // Spawned, so its future is `Send` and borrows nothing.
        let shipped = tokio::spawn(ship_all(orders, VAN)).await;
        let mut shipped = shipped.expect("no panic");
        shipped.sort_by_key(|(place, _)| *place);
        assert_eq!(shipped.len(), 100);
        let last = shipped[99].1.as_ref().expect("no panic");
        let last = last.as_deref().expect("in time");
        assert_eq!(last, "100: by van for 12");
    }
}
