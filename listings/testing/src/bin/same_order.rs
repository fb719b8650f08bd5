//! One thread, a paused clock, no randomness: every run is the same.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::mpsc;

// ANCHOR: same
/// Queues eight orders and eight cancellations, then receives them.
async fn one_run() -> Vec<String> {
    let (orders, mut ordered) = mpsc::channel(8);
    let (stops, mut stopped) = mpsc::channel(8);
    let mut stock = BTreeMap::new();
    for number in 0..8 {
        orders.try_send(number).expect("there is room");
        stops.try_send(number).expect("there is room");
        stock.insert(number, 1);
    }
    drop((orders, stops));
    let mut events = Vec::new();
    while let Some(event) = tokio::select! {
        biased;
        Some(number) = stopped.recv() => Some(format!("-{number}")),
        Some(number) = ordered.recv() => Some(format!("+{number}")),
        else => None,
    } {
        events.push(event);
    }
    events.extend(stock.keys().map(|number| format!("{number} left")));
    events
}
// ANCHOR_END: same

/// Returns how many different orders of events there were.
async fn orders_in_100_runs() -> usize {
    let mut seen = HashSet::new();
    for _ in 0..100 {
        seen.insert(one_run().await);
    }
    seen.len()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = orders_in_100_runs().await;
    println!("100 runs, the same each time: {}", orders == 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_hundred_runs() {
        assert_eq!(orders_in_100_runs().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_matter_within_one_task() {
        assert_eq!(orders_in_100_runs().await, 1);
    }
}
