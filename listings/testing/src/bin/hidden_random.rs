//! Wrong: hidden randomness changes the order of events.

// ANCHOR: wrong
use std::collections::{HashMap, HashSet};

use tokio::sync::mpsc;

/// Queues eight orders and eight cancellations, then receives them.
async fn one_run() -> Vec<String> {
    let (orders, mut ordered) = mpsc::channel(8);
    let (stops, mut stopped) = mpsc::channel(8);
    let mut stock = HashMap::new();
    for number in 0..8 {
        orders.try_send(number).expect("there is room");
        stops.try_send(number).expect("there is room");
        stock.insert(number, 1);
    }
    drop((orders, stops));
    let mut events = Vec::new();
    // Wrong: which branch is polled first is random.
    while let Some(event) = tokio::select! {
        Some(number) = ordered.recv() => Some(format!("+{number}")),
        Some(number) = stopped.recv() => Some(format!("-{number}")),
        else => None,
    } {
        events.push(event);
    }
    // Wrong: each map has its own order.
    events.extend(stock.keys().map(|number| format!("{number} left")));
    events
}

/// Returns how many different orders of events there were.
async fn orders_in_100_runs() -> usize {
    let mut seen = HashSet::new();
    for _ in 0..100 {
        seen.insert(one_run().await);
    }
    seen.len()
}
// ANCHOR_END: wrong

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
        assert!(orders_in_100_runs().await > 50);
    }
}
