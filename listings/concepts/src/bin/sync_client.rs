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
    /// `None` only while the client is dropped.
    runtime: Option<Runtime>,
}

impl SyncClient {
    /// Starts one worker thread, which drives timers and sockets even
    /// between calls, so that connections can stay open.
    fn new(client: Client) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        Ok(Self { client, runtime: Some(runtime) })
    }

    /// Blocks this thread for at most a second.
    ///
    /// Panics on a thread that runs async code. Use the async client
    /// there, or use this client in `spawn_blocking`.
    fn price(&self, product: &str) -> io::Result<u32> {
        let limit = Duration::from_secs(1);
        let runtime = self.runtime.as_ref().expect("it isn't dropped");
        let late = |_| {
            let what = format!("{product}: no answer");
            io::Error::new(io::ErrorKind::TimedOut, what)
        };
        runtime.block_on(async {
            // Created here because a timer needs the runtime.
            let answer = timeout(limit, self.client.price(product));
            answer.await.map_err(late)?
        })
    }
}
// ANCHOR_END: client

// ANCHOR: drop
impl Drop for SyncClient {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
// ANCHOR_END: drop

/// The async client that does the work.
struct Client;

impl Client {
    /// Knows the price of a desk, never answers about a bed, panics
    /// when it's asked for the moon, and looks for a lamp in a blocking
    /// closure that takes a minute.
    async fn price(&self, product: &str) -> io::Result<u32> {
        sleep(Duration::from_millis(1)).await;
        match product {
            "desk" => Ok(1250),
            "bed" => std::future::pending().await,
            "moon" => panic!("the moon has no price"),
            "lamp" => {
                let minute = Duration::from_secs(60);
                let look = move || std::thread::sleep(minute);
                tokio::task::spawn_blocking(look).await?;
                Ok(40)
            }
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
        assert_eq!(error.to_string(), "bed: no answer");
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
    fn owner_gone_waits_for_no_blocking_closure() {
        let (start, shop) = (std::time::Instant::now(), shop());
        assert!(shop.price("lamp").is_err());
        drop(shop);
        // A second, and more on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn owner_gone_in_async_code() {
        let shop = tokio::task::spawn_blocking(shop).await;
        drop(shop.expect("no panic"));
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
