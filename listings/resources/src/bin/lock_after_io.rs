//! Await the answer first, and lock after that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: stock
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

#[derive(Default)]
struct Stock {
    units: Mutex<HashMap<u32, Units>>,
    questions: AtomicU64,
}

struct Units {
    count: u32,
    /// The number of the question. A later one is newer.
    question: u64,
}

impl Stock {
    /// Cancel safe: the map changes in one step, or not at all. No
    /// `.await` is under the lock now, so it's std's.
    async fn refresh(&self, product: u32) {
        let question = self.questions.fetch_add(1, Relaxed);
        let count = ask_warehouse(product).await;
        let mut units = self.units.lock().expect("no panic");
        let newest = units.get(&product).map(|units| units.question);
        // A slow answer doesn't overwrite a newer one.
        if newest.is_none_or(|newest| newest < question) {
            units.insert(product, Units { count, question });
        }
    }
}
// ANCHOR_END: stock

async fn ask_warehouse(product: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    10 * product
}

impl Stock {
    fn sum(&self) -> u32 {
        let units = self.units.lock().expect("no panic");
        units.values().map(|units| units.count).sum()
    }
}

/// Refreshes ten products at the same time. Returns how long it took,
/// and what is there.
async fn refresh_ten() -> (Duration, u32) {
    let (stock, start) = (Arc::new(Stock::default()), Instant::now());
    let mut tasks = JoinSet::new();
    for product in 1..=10 {
        let stock = Arc::clone(&stock);
        tasks.spawn(async move { stock.refresh(product).await });
    }
    tasks.join_all().await;
    (start.elapsed(), stock.sum())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (time, units) = refresh_ten().await;
    println!("{units} units, after {time:?}");
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_warehouse() {
        let expected = (Duration::from_millis(100), 550);
        assert_eq!(refresh_ten().await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_do_not_overwrite_newer_ones() {
        let stock = Stock::default();
        let mut old = Box::pin(stock.refresh(1));
        assert!(futures::poll!(old.as_mut()).is_pending());
        stock.refresh(1).await;
        let newest = |stock: &Stock| {
            stock.units.lock().expect("no panic")[&1].question
        };
        assert_eq!(newest(&stock), 1);
        old.await;
        assert_eq!(newest(&stock), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_refresh_all() {
        assert_eq!(refresh_ten().await.1, 550);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_changes_nothing() {
        at_every_poll(async |cancel| {
            let stock = Stock::default();
            let refreshed = cancel.run(stock.refresh(1)).await;
            let sum = if refreshed.is_some() { 10 } else { 0 };
            assert_eq!(stock.sum(), sum);
        })
        .await;
    }

    /// One that waits for an answer holds up nobody.
    #[tokio::test(start_paused = true)]
    async fn silence_leaves_the_lock_free() {
        let stock = Stock::default();
        let mut waits = Box::pin(stock.refresh(1));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(stock.units.try_lock().is_ok());
        stock.refresh(2).await;
        assert_eq!(stock.sum(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn again_keeps_one_entry() {
        let stock = Stock::default();
        stock.refresh(1).await;
        stock.refresh(1).await;
        assert_eq!(stock.sum(), 10);
    }
}
