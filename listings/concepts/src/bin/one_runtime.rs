//! A client without a runtime: calls run in the task that awaits them.

use std::time::Duration;

use tokio::time::{error::Elapsed, sleep, timeout};

// ANCHOR: shop
/// A client that doesn't own a runtime, so there is no runtime to
/// shut down.
struct Shop {
    limit: Duration,
}

impl Shop {
    /// Asks for the price. The timers and sockets of this call belong
    /// to the runtime of the task that awaits it.
    ///
    /// Fails if there is no answer within the limit.
    async fn price(&self) -> Result<u32, Elapsed> {
        timeout(self.limit, ask_the_shop()).await
    }
}
// ANCHOR_END: shop

/// Asks another server, which takes 50 ms.
async fn ask_the_shop() -> u32 {
    sleep(Duration::from_millis(50)).await;
    1250
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shop = Shop { limit: Duration::from_secs(1) };
    match shop.price().await {
        Ok(price) => println!("the price: {price}"),
        Err(_) => println!("no price within a second"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shop(millis: u64) -> Shop {
        Shop { limit: Duration::from_millis(millis) }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_limit() {
        assert_eq!(shop(1000).price().await, Ok(1250));
        assert!(shop(49).price().await.is_err());
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_behind() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(shop(1000).price()).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_time_at_all() {
        assert!(shop(0).price().await.is_err());
    }

    #[test]
    fn owner_gone_with_its_runtime_and_the_next_one_serves() {
        let shop = shop(10_000);
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            assert_eq!(runtime.block_on(shop.price()), Ok(1250));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_it() {
        let shop = Arc::new(shop(60_000));
        let asked: Vec<_> = (0..100)
            .map(|_| {
                let shop = Arc::clone(&shop);
                tokio::spawn(async move { shop.price().await })
            })
            .collect();
        for price in asked {
            assert_eq!(price.await.expect("no panic"), Ok(1250));
        }
    }
}
