//! Wrong: every caller that doesn't find an entry loads it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: wrong
use std::{collections::HashMap, sync::Mutex};

#[derive(Default)]
struct Prices {
    backend: Backend,
    kept: Mutex<HashMap<u32, u32>>,
}

impl Prices {
    /// Wrong: between the miss and the insert, the others miss, too.
    async fn get(&self, product: u32) -> u32 {
        if let Some(price) = self.kept(product) {
            return price;
        }
        let price = self.backend.load(product).await;
        self.kept.lock().expect("no panic").insert(product, price);
        price
    }

    fn kept(&self, product: u32) -> Option<u32> {
        let kept = self.kept.lock().expect("no panic");
        kept.get(&product).copied()
    }
}
// ANCHOR_END: wrong

#[derive(Default)]
struct Backend {
    loads: AtomicU32,
}

impl Backend {
    async fn load(&self, product: u32) -> u32 {
        self.loads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        10 * product
    }
}

/// Ten callers want the same price. Returns what they got, and how
/// often it was loaded.
async fn ten_callers() -> (Vec<u32>, u32) {
    let prices = Arc::new(Prices::default());
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let prices = Arc::clone(&prices);
        callers.spawn(async move { prices.get(7).await });
    }
    let got = callers.join_all().await;
    (got, prices.backend.loads.load(Ordering::Relaxed))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (got, loads) = ten_callers().await;
    println!("{} callers, {loads} loads", got.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_ten_callers() {
        assert_eq!(ten_callers().await, (vec![70; 10], 10));
    }
}
