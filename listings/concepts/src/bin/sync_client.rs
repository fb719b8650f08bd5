//! A blocking client that owns a runtime.

use std::{io, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};

// ANCHOR: client
/// A client of a shop, for programs without async.
struct SyncClient {
    client: Client,
    runtime: Runtime,
}

impl SyncClient {
    /// Starts one worker thread, which drives timers and sockets even
    /// between calls, so that connections can stay open.
    fn new(client: Client) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        Ok(Self { client, runtime })
    }

    /// Blocks this thread for at most a second.
    ///
    /// Panics on a thread that runs async code. Use the async client
    /// there, or use and drop this client in `spawn_blocking`.
    fn price(&self, product: &str) -> io::Result<u32> {
        let limit = Duration::from_secs(1);
        self.runtime.block_on(async {
            // Created here because a timer needs the runtime.
            match timeout(limit, self.client.price(product)).await {
                Ok(answer) => answer,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}
// ANCHOR_END: client

/// The async client that does the work.
struct Client;

impl Client {
    /// Knows the price of a desk, never answers about a bed, and
    /// panics when it's asked for the moon.
    async fn price(&self, product: &str) -> io::Result<u32> {
        sleep(Duration::from_millis(1)).await;
        match product {
            "desk" => Ok(1250),
            "bed" => std::future::pending().await,
            "moon" => panic!("the moon has no price"),
            _ => Err(io::Error::other(format!("{product}: not sold"))),
        }
    }
}

fn main() -> io::Result<()> {
    let shop = SyncClient::new(Client)?;
    println!("desk: {}", shop.price("desk")?);
    if let Err(error) = shop.price("sun") {
        println!("{error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn shop() -> SyncClient {
        SyncClient::new(Client).expect("a runtime")
    }

    #[test]
    fn silence_ends_after_a_second() {
        let start = std::time::Instant::now();
        let error = shop().price("bed").expect_err("it is silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // A second, and more on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn failure_says_which_product() {
        let error = shop().price("gold").expect_err("not sold");
        assert_eq!(error.to_string(), "gold: not sold");
    }

    #[test]
    fn threads_ask_at_the_same_time() {
        let shop = shop();
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    assert_eq!(shop.price("desk").ok(), Some(1250));
                });
            }
        });
    }

    #[test]
    fn again_after_a_timeout_it_answers() {
        let shop = shop();
        assert!(shop.price("bed").is_err());
        assert_eq!(shop.price("desk").ok(), Some(1250));
    }

    #[test]
    fn panic_of_the_client_leaves_it_usable() {
        let shop = shop();
        let moon = std::panic::AssertUnwindSafe(|| shop.price("moon"));
        assert!(std::panic::catch_unwind(moon).is_err());
        assert_eq!(shop.price("desk").ok(), Some(1250));
    }

    #[test]
    fn owner_gone_ends_its_thread() {
        // Dropping a runtime waits for its workers.
        drop(shop());
    }

    #[tokio::test]
    async fn edges_it_panics_in_async_code_and_works_in_the_pool() {
        let moved = tokio::task::spawn_blocking(shop);
        let shop = std::sync::Arc::new(moved.await.expect("no panic"));
        let here = std::panic::AssertUnwindSafe(|| shop.price("desk"));
        assert!(std::panic::catch_unwind(here).is_err());
        let asked =
            tokio::task::spawn_blocking(move || shop.price("desk"));
        let price = asked.await.expect("no panic");
        assert_eq!(price.ok(), Some(1250));
    }
}
