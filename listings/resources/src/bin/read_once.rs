//! Acquire the read lock once, and pass the data on.

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
    /// The total of a cart, or `None` if a price is missing. Awaits
    /// first, and then reads once, so no price changes in between.
    async fn total(&self, cart: &[&str]) -> Option<u64> {
        for product in cart {
            load_discount(product).await;
        }
        let prices = self.by_product.read().await;
        cart.iter()
            .map(|product| prices.get(product).copied().map(u64::from))
            .sum()
    }

    async fn set(&self, product: &'static str, price: u32) {
        self.by_product.write().await.insert(product, price);
    }
}
// ANCHOR_END: prices

async fn load_discount(product: &str) {
    sleep(Duration::from_millis(10)).await;
    match product {
        "a bug" => panic!("a bug in the discounts"),
        "silence" => std::future::pending().await,
        _ => {}
    }
}

/// A price is set, by another task, while a total is computed.
async fn total_and_set(prices: Arc<Prices>) -> Option<Option<u64>> {
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
        None => println!("all tasks waited for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_writer_in_between() {
        let prices = prices();
        let total = total_and_set(Arc::clone(&prices)).await;
        assert_eq!(total, Some(Some(28)));
        let now = prices.by_product.read().await;
        assert_eq!(now.get("tea"), Some(&13));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_lock_free() {
        at_every_poll(async |cancel| {
            let prices = prices();
            let mut writer = prices.by_product.write().await;
            writer.insert("tea", 13);
            let release = async {
                sleep(Duration::from_secs(1)).await;
                drop(writer);
            };
            let total = cancel.run(prices.total(&["tea", "coffee"]));
            let (total, ()) = tokio::join!(biased; total, release);
            assert!(total.is_none_or(|total| total == Some(28)));
            within(HOUR, prices.set("tea", 14)).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_read_and_write() {
        let prices = prices();
        let mut tasks = JoinSet::new();
        for price in 0..50 {
            let prices = Arc::clone(&prices);
            tasks.spawn(async move {
                prices.set("tea", price).await;
                prices.total(&["tea", "tea"]).await
            });
        }
        // Both are of one moment.
        for total in tasks.join_all().await {
            assert_eq!(total.map(|total| total % 2), Some(0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_cart() {
        let prices = prices();
        assert_eq!(prices.total(&[]).await, Some(0));
        assert_eq!(prices.total(&["tea", "gold"]).await, None);
        prices.set("tea", u32::MAX).await;
        let two = prices.total(&["tea", "tea"]).await;
        assert_eq!(two, Some(2 * u64::from(u32::MAX)));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_leaves_the_lock_free() {
        let prices = prices();
        let task = Arc::clone(&prices);
        let panics =
            tokio::spawn(async move { task.total(&["a bug"]).await });
        assert!(panics.await.is_err());
        within(HOUR, prices.set("tea", 13)).await;
        assert_eq!(prices.total(&["tea"]).await, Some(13));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_leaves_the_lock_free() {
        let prices = prices();
        let mut silent = Box::pin(prices.total(&["silence"]));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        within(HOUR, prices.set("tea", 13)).await;
        assert_eq!(prices.total(&["tea"]).await, Some(13));
    }
}
