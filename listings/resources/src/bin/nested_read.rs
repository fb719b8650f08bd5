//! Wrong: a reader reads again while a writer waits.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::RwLock,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: wrong
struct Prices {
    by_product: RwLock<HashMap<&'static str, u32>>,
}

impl Prices {
    async fn one(&self, product: &str) -> Option<u32> {
        self.by_product.read().await.get(product).copied()
    }

    /// Wrong: it reads, and `one` reads again. If a writer arrives in
    /// between, `one` waits for it, and the writer waits for `total`.
    async fn total(&self, cart: &[&str]) -> Option<u32> {
        let prices = self.by_product.read().await;
        let mut total = 0;
        for product in cart {
            load_discount(product).await;
            total += self.one(product).await?;
        }
        println!("a cart of {} prices", prices.len());
        Some(total)
    }

    async fn set(&self, product: &'static str, price: u32) {
        self.by_product.write().await.insert(product, price);
    }
}
// ANCHOR_END: wrong

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
        None => println!("all tasks waited for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_writer_in_between() {
        assert_eq!(total_and_set(prices()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_one_nobody_notices() {
        let total = prices().total(&["tea", "coffee"]).await;
        assert_eq!(total, Some(27));
    }
}
