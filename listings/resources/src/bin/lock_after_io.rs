//! The answer first, and then the lock.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: stock
use std::sync::Mutex;

#[derive(Default)]
struct Stock {
    units: Mutex<HashMap<u32, u32>>,
}

impl Stock {
    /// Cancel safe: the map changes in one step, or not at all. No
    /// `.await` is under the lock now, so it is std's.
    async fn refresh(&self, product: u32) {
        let units = ask_warehouse(product).await;
        self.units.lock().expect("no panic").insert(product, units);
    }
}
// ANCHOR_END: stock

async fn ask_warehouse(product: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    10 * product
}

/// Refreshes ten products at once. Returns how long it took, and what
/// is there.
async fn refresh_ten() -> (Duration, u32) {
    let (stock, start) = (Arc::new(Stock::default()), Instant::now());
    let mut tasks = JoinSet::new();
    for product in 1..=10 {
        let stock = Arc::clone(&stock);
        tasks.spawn(async move { stock.refresh(product).await });
    }
    tasks.join_all().await;
    let units = stock.units.lock().expect("no panic").values().sum();
    (start.elapsed(), units)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (time, units) = refresh_ten().await;
    println!("{units} units, after {time:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_at_once() {
        let expected = (Duration::from_millis(100), 550);
        assert_eq!(refresh_ten().await, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_several_threads_all_are_there() {
        assert_eq!(refresh_ten().await.1, 550);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_it_changes_nothing() {
        let stock = Stock::default();
        let limit = Duration::from_millis(50);
        let refresh = stock.refresh(1);
        assert!(tokio::time::timeout(limit, refresh).await.is_err());
        assert!(stock.units.lock().expect("no panic").is_empty());
    }
}
