//! Read once, and pass on what was read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::RwLock,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: prices
struct Prices {
    by_product: RwLock<HashMap<&'static str, u32>>,
}

impl Prices {
    /// Awaits first, and then reads once, for all of the cart. All
    /// prices are of the same moment.
    async fn total(&self, cart: &[&str]) -> Option<u32> {
        for product in cart {
            load_discount(product).await;
        }
        let prices = self.by_product.read().await;
        println!("a cart of {} prices", prices.len());
        cart.iter().map(|product| prices.get(product)).sum()
    }

    async fn set(&self, product: &'static str, price: u32) {
        self.by_product.write().await.insert(product, price);
    }
}
// ANCHOR_END: prices

async fn load_discount(_product: &str) {
    sleep(Duration::from_millis(10)).await;
}

/// A price is set, by another task, while a total is computed.
async fn total_and_set(prices: Arc<Prices>) -> Option<Option<u32>> {
    let other = Arc::clone(&prices);
    let set = AbortOnDropHandle::new(tokio::spawn(async move {
        sleep(Duration::from_millis(5)).await;
        other.set("tea", 13).await;
    }));
    let total = prices.total(&["tea", "coffee"]);
    let total = timeout(Duration::from_secs(3600), total).await.ok()?;
    set.await.ok().map(|()| total)
}

fn prices() -> Arc<Prices> {
    let prices = HashMap::from([("tea", 12), ("coffee", 15)]);
    Arc::new(Prices { by_product: RwLock::new(prices) })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match total_and_set(prices()).await {
        Some(total) => println!("total: {total:?}"),
        None => println!("all wait, for an hour, and nobody writes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_writer_in_between_is_served() {
        let prices = prices();
        let total = total_and_set(Arc::clone(&prices)).await;
        assert_eq!(total, Some(Some(28)));
        let now = prices.by_product.read().await;
        assert_eq!(now.get("tea"), Some(&13));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() {
        let total = total_and_set(prices()).await;
        assert_eq!(total, Some(Some(28)));
    }
}
