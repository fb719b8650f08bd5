//! A client that is handed the runtime of the one who calls it.

use std::time::Duration;

use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

// ANCHOR: shop
/// A client that uses the runtime that there is.
struct Shop {
    runtime: Handle,
}

impl Shop {
    fn new(runtime: Handle) -> Self {
        Self { runtime }
    }

    /// Asks for the price, whoever polls.
    async fn price(&self) -> u32 {
        let pause = {
            let _entered = self.runtime.enter();
            sleep(Duration::from_millis(50))
        };
        pause.await;
        1250
    }
}
// ANCHOR_END: shop

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shop = Shop::new(Handle::current());
    let limit = Duration::from_secs(3600);
    match timeout(limit, shop.price()).await {
        Ok(price) => println!("the price: {price}"),
        Err(_) => println!("an hour later: no price"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_price_is_told() {
        let shop = Shop::new(Handle::current());
        let limit = Duration::from_millis(51);
        assert_eq!(timeout(limit, shop.price()).await, Ok(1250));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_executor_may_poll_it() {
        let shop = Shop::new(Handle::current());
        let polled = tokio::task::spawn_blocking(move || {
            futures::executor::block_on(shop.price())
        });
        assert_eq!(polled.await.ok(), Some(1250));
    }
}
