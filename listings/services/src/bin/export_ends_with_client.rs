//! Stream a response whose producer stops when the client leaves.

// ANCHOR: export
use std::{future::ready, io, sync::Arc};

use axum::{body::Body, extract::State};
use futures::{StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

/// Sends all orders, one per line. The body owns the producer's task,
/// so the task is aborted when the body is dropped.
async fn export(State(shop): State<Arc<Shop>>) -> Body {
    let (lines, received) = mpsc::channel(8);
    let producer = tokio::spawn(produce(shop, lines));
    // If the producer fails, the body must end with an error, because the
    // client would otherwise take half of the orders for all of them.
    let end = stream::once(AbortOnDropHandle::new(producer));
    let error = end.filter_map(|ended| {
        ready(match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(panic) => Some(Err(io::Error::other(panic))),
        })
    });
    let lines = ReceiverStream::new(received).map(Ok);
    Body::from_stream(lines.chain(error))
}
// ANCHOR_END: export

// ANCHOR: produce
/// How long the producer waits for the database, or for a client that
/// doesn't read.
const PATIENCE: Duration = Duration::from_secs(30);

async fn produce(
    shop: Arc<Shop>,
    lines: mpsc::Sender<String>,
) -> io::Result<()> {
    for order in 0..shop.orders {
        let line = timeout(PATIENCE, shop.load(order)).await??;
        match timeout(PATIENCE, lines.send(line)).await? {
            Ok(()) => {}
            Err(_closed) => break, // Nobody reads the rest.
        }
    }
    Ok(())
}
// ANCHOR_END: produce

use std::sync::atomic::{AtomicU32, Ordering};

use axum::{Router, routing::get};
use tokio::{net::TcpListener, sync::Notify};

/// The orders, and how many have been loaded.
struct Shop {
    orders: u32,
    /// Loading this order fails, panics, or never ends.
    troubled: Option<(u32, Trouble)>,
    loaded: AtomicU32,
    begun: Notify,
    ended: Notify,
}

#[derive(Clone, Copy)]
enum Trouble {
    Silence,
    #[cfg(test)]
    Failure,
    #[cfg(test)]
    Panic,
}

/// Notifies when the load of an order has ended, or was canceled.
struct Loading<'a>(&'a Notify);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Shop {
    fn new(orders: u32, troubled: Option<(u32, Trouble)>) -> Arc<Self> {
        Arc::new(Self {
            orders,
            troubled,
            loaded: AtomicU32::new(0),
            begun: Notify::new(),
            ended: Notify::new(),
        })
    }

    async fn load(&self, order: u32) -> io::Result<String> {
        if let Some((troubled, trouble)) = self.troubled
            && troubled == order
        {
            let _loading = Loading(&self.ended);
            self.begun.notify_one();
            match trouble {
                Trouble::Silence => std::future::pending().await,
                #[cfg(test)]
                Trouble::Failure => {
                    Err(io::Error::other("no database"))?
                }
                #[cfg(test)]
                Trouble::Panic => {
                    std::panic::resume_unwind(Box::new("no order"))
                }
            }
        }
        tokio::task::yield_now().await;
        self.loaded.fetch_add(1, Ordering::Relaxed);
        Ok(format!("{order}\n"))
    }
}

async fn start(
    shop: &Arc<Shop>,
) -> io::Result<(String, AbortOnDropHandle<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/orders", listener.local_addr()?);
    let routes = Router::new()
        .route("/orders", get(export))
        .with_state(shop.clone());
    let served = axum::serve(listener, routes).into_future();
    Ok((url, AbortOnDropHandle::new(tokio::spawn(served))))
}

// ANCHOR: leave
/// The client reads the first order, and leaves while the producer waits
/// for the tenth. Returns how many orders were loaded.
async fn read_one_and_leave() -> anyhow::Result<u32> {
    let shop = Shop::new(1_000_000, Some((9, Trouble::Silence)));
    let (url, _server) = start(&shop).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut answer = client.get(url).send().await?;
    anyhow::ensure!(answer.chunk().await?.is_some(), "no order");
    shop.begun.notified().await;
    drop((answer, client));
    // The tenth order's load was canceled.
    timeout(PATIENCE / 3, shop.ended.notified()).await?;
    Ok(shop.loaded.load(Ordering::Relaxed))
}
// ANCHOR_END: leave

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let loaded = read_one_and_leave().await?;
    println!("the client left: {loaded} of 1000000 orders were loaded");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(orders: u32) -> String {
        (0..orders).map(|order| format!("{order}\n")).collect()
    }

    /// Reads the whole body.
    async fn text(shop: &Arc<Shop>) -> Result<String, String> {
        let body = export(State(shop.clone())).await;
        let read = axum::body::to_bytes(body, usize::MAX).await;
        let bytes = read.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test]
    async fn cancel_by_the_client_stops_the_producer()
    -> anyhow::Result<()> {
        assert_eq!(read_one_and_leave().await?, 9);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_stops_the_producer_at_any_poll() {
        hazards::at_every_poll(async |cancel| {
            let shop = Shop::new(20, None);
            if let Some(read) = cancel.run(text(&shop)).await {
                assert_eq!(read, Ok(all(20)));
            }
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_the_producer_is_an_error() {
        for nth in [0, 5, 9] {
            let shop = Shop::new(10, Some((nth, Trouble::Panic)));
            assert!(text(&shop).await.is_err());
        }
    }

    #[tokio::test]
    async fn failure_of_the_producer_is_an_error() {
        for nth in [0, 5, 9] {
            let shop = Shop::new(10, Some((nth, Trouble::Failure)));
            assert_eq!(
                text(&shop).await,
                Err("no database".to_owned())
            );
        }
    }

    /// The client can tell half of the orders from all of them.
    #[tokio::test]
    async fn failure_is_seen_by_the_client() -> anyhow::Result<()> {
        let shop = Shop::new(10, Some((5, Trouble::Panic)));
        let (url, _server) = start(&shop).await?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(url).send().await;
        let text = async { answer?.text().await };
        assert!(text.await.is_err());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_database_is_an_error() {
        let shop = Shop::new(10, Some((5, Trouble::Silence)));
        let read = hazards::within(hazards::HOUR, text(&shop)).await;
        assert!(read.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_client_ends_the_producer() {
        let shop = Shop::new(100, None);
        let _body = export(State(shop.clone())).await;
        hazards::no_task_left_after(hazards::HOUR).await;
        assert_eq!(shop.loaded.load(Ordering::Relaxed), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_reads_everything() {
        let shop = Shop::new(30, None);
        let body = export(State(shop.clone())).await;
        let mut lines = body.into_data_stream();
        for read in 1..=30 {
            tokio::time::sleep(PATIENCE * 2 / 3).await;
            assert!(matches!(lines.next().await, Some(Ok(_))));
            tokio::time::sleep(Duration::from_millis(1)).await;
            // Eight wait in the channel, and one to be sent.
            let loaded = shop.loaded.load(Ordering::Relaxed);
            assert!(loaded <= read + 9, "{loaded}, {read}");
        }
        assert!(lines.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_producer() {
        let shop = Shop::new(10, Some((5, Trouble::Silence)));
        let body = export(State(shop.clone())).await;
        shop.begun.notified().await;
        drop(body);
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_stop_the_producer() -> anyhow::Result<()> {
        for _ in 0..20 {
            assert_eq!(read_one_and_leave().await?, 9);
        }
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_order_and_one() {
        for orders in [0, 1, 8, 9, 1000] {
            assert_eq!(
                text(&Shop::new(orders, None)).await,
                Ok(all(orders))
            );
        }
    }
}
