//! Wrong: the producer continues after its client has left.

// ANCHOR: wrong
use std::sync::Arc;

use axum::{body::Body, extract::State};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Sends all orders, one per line.
async fn export(State(shop): State<Arc<Shop>>) -> Body {
    let (lines, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for order in 0..shop.orders {
            let line = shop.load(order).await;
            // Wrong: this error says that the client has left.
            let _ = lines.send(line);
        }
        shop.exported.notify_one();
    });
    let lines = UnboundedReceiverStream::new(received);
    Body::from_stream(lines.map(Ok::<_, Infallible>))
}
// ANCHOR_END: wrong

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
};

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{Duration, sleep, timeout},
};

/// The orders, and how many have been loaded.
#[derive(Default)]
struct Shop {
    orders: u32,
    loaded: AtomicU32,
    begun: Notify,
    resume: Notify,
    exported: Notify,
}

impl Shop {
    /// The tenth order takes until the client has left.
    async fn load(&self, order: u32) -> String {
        if order == 9 {
            self.begun.notify_one();
            self.resume.notified().await;
        }
        self.loaded.fetch_add(1, Ordering::Relaxed);
        format!("{order}\n")
    }
}

/// The client reads the first order, and leaves while the producer waits
/// for the tenth. Returns how many orders were loaded.
async fn read_one_and_leave() -> anyhow::Result<u32> {
    let shop = Arc::new(Shop { orders: 1_000_000, ..Shop::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/orders", listener.local_addr()?);
    let routes = Router::new()
        .route("/orders", get(export))
        .with_state(shop.clone());
    let server =
        tokio::spawn(axum::serve(listener, routes).into_future());
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut answer = client.get(url).send().await?;
    anyhow::ensure!(answer.chunk().await?.is_some(), "no order");
    shop.begun.notified().await;
    drop((answer, client));
    // The server has time to notice it.
    sleep(Duration::from_millis(20)).await;
    shop.resume.notify_one();
    timeout(Duration::from_secs(10), shop.exported.notified()).await?;
    server.abort();
    Ok(shop.loaded.load(Ordering::Relaxed))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let loaded = read_one_and_leave().await?;
    println!("the client left: {loaded} of 1000000 orders were loaded");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_by_the_client_stops_the_producer()
    -> anyhow::Result<()> {
        // It doesn't.
        assert_eq!(read_one_and_leave().await?, 1_000_000);
        Ok(())
    }
}
