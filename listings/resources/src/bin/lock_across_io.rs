//! Wrong: the lock is held while another service responds.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: wrong
#[derive(Default)]
struct Stock {
    units: Mutex<HashMap<u32, u32>>,
}

impl Stock {
    /// Wrong: all others wait while one warehouse answers.
    async fn refresh(&self, product: u32) {
        let mut units = self.units.lock().await;
        units.insert(product, ask_warehouse(product).await);
    }
}
// ANCHOR_END: wrong

async fn ask_warehouse(product: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    10 * product
}

/// Refreshes ten products together. Returns how long it took, and what
/// is there.
async fn refresh_ten() -> (Duration, u32) {
    let (stock, start) = (Arc::new(Stock::default()), Instant::now());
    let mut tasks = JoinSet::new();
    for product in 1..=10 {
        let stock = Arc::clone(&stock);
        tasks.spawn(async move { stock.refresh(product).await });
    }
    tasks.join_all().await;
    let units = stock.units.lock().await.values().sum();
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
    async fn slow_warehouse() {
        let expected = (Duration::from_secs(1), 550);
        assert_eq!(refresh_ten().await, expected);
    }
}
