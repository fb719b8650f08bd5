//! Share one HTTP client: its clones use the same connections.

// ANCHOR: client
use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use reqwest::{Client, Url, redirect};
use tokio::{sync::Semaphore, time::timeout};

/// Calls the supplier. A clone is cheap, and shares the connections.
#[derive(Clone)]
struct Supplier {
    http: Client,
    prices: Url,
    places: Arc<Semaphore>,
}

impl Supplier {
    /// Call this once, when the process starts.
    fn new(prices: Url) -> reqwest::Result<Self> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .read_timeout(Duration::from_secs(2))
            .timeout(LIMIT)
            // The supplier closes idle connections after 5 s.
            .pool_idle_timeout(Duration::from_secs(3))
            .pool_max_idle_per_host(PLACES)
            .redirect(redirect::Policy::none())
            .no_proxy() // This program's supplier is on loopback.
            .build()?;
        let places = Arc::new(Semaphore::new(PLACES));
        Ok(Self { http, prices, places })
    }
}
// ANCHOR_END: client

// ANCHOR: price
impl Supplier {
    /// Waits until fewer than `PLACES` requests are in progress, then
    /// asks for a price, and reads the response to its end.
    async fn price(&self, item: &str) -> anyhow::Result<u32> {
        let place = timeout(LIMIT, self.places.acquire()).await;
        let _place = place.context("all places are taken")??;
        // `push` drops tabs and line breaks, and ignores "." and "..".
        let is_kept = !item.contains(char::is_control)
            && !["", ".", ".."].contains(&item);
        ensure!(is_kept, "a URL can't contain {item:?}");
        let mut url = self.prices.clone();
        let path = url.path_segments_mut().ok(); // Not `join`.
        path.context("not http")?.pop_if_empty().push(item);
        let answer = self.http.get(url).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
// ANCHOR_END: price

const LIMIT: Duration = Duration::from_secs(8);
const PLACES: usize = 4;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    Json, Router,
    http::StatusCode,
    routing::get,
    serve::{Listener, ListenerExt},
};
use tokio::{net::TcpListener, task::JoinSet};

/// What the supplier has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

/// A supplier, which is stopped when this is dropped.
struct Server {
    seen: Arc<Seen>,
    prices: Url,
    _running: JoinSet<()>,
}

async fn start() -> anyhow::Result<Server> {
    let seen = Arc::new(Seen::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let prices = format!("http://{}/price/", listener.local_addr()?);
    let count = seen.clone();
    let listener = listener.tap_io(move |_| {
        count.connections.fetch_add(1, Ordering::Relaxed);
    });
    let mut running = JoinSet::new();
    running.spawn(serve(listener, seen.clone()));
    Ok(Server { seen, prices: prices.parse()?, _running: running })
}

async fn serve<L>(listener: L, seen: Arc<Seen>)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let price = async move || {
        seen.requests.fetch_add(1, Ordering::Relaxed);
        let now = seen.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most.fetch_max(now, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
        seen.at_once.fetch_sub(1, Ordering::Relaxed);
        Json(12)
    };
    let silent = async || std::future::pending::<()>().await;
    let fails = async || StatusCode::INTERNAL_SERVER_ERROR;
    let elsewhere = async || axum::response::Redirect::to("/price/tea");
    let routes = Router::new()
        .route("/price/{item}", get(price))
        .route("/price/silent", get(silent))
        .route("/price/fails", get(fails))
        .route("/price/moved", get(elsewhere));
    if let Err(error) = axum::serve(listener, routes).await {
        eprintln!("the supplier has stopped: {error}");
    }
}

/// Asks ten times, each time with another clone.
async fn ask_with_clones(server: &Server) -> anyhow::Result<usize> {
    let supplier = Supplier::new(server.prices.clone())?;
    for _ in 0..10 {
        let handler = supplier.clone();
        handler.price("tea").await?;
        // Until the connection is back in the pool.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(server.seen.connections.load(Ordering::Relaxed))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let server = start().await?;
    let connections = ask_with_clones(&server).await?;
    let requests = server.seen.requests.load(Ordering::Relaxed);
    println!("requests: {requests}, connections: {connections}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_requests_reuses_connections()
    -> anyhow::Result<()> {
        let server = start().await?;
        assert_eq!(ask_with_clones(&server).await?, 1);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_overload_send_four_at_a_time()
    -> anyhow::Result<()> {
        let server = start().await?;
        let supplier = Supplier::new(server.prices.clone())?;
        let mut callers = JoinSet::new();
        for _ in 0..40 {
            let supplier = supplier.clone();
            callers.spawn(async move { supplier.price("tea").await });
        }
        while let Some(price) = callers.join_next().await {
            assert_eq!(price??, 12);
        }
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 40);
        assert!(server.seen.most.load(Ordering::Relaxed) <= PLACES);
        Ok(())
    }

    /// More silent answers than places: the rest is served after the
    /// callers have given up.
    #[tokio::test]
    async fn cancel_gives_the_place_back() -> anyhow::Result<()> {
        let server = start().await?;
        let supplier = Supplier::new(server.prices.clone())?;
        let short = Duration::from_millis(30);
        for _ in 0..2 * PLACES + 1 {
            let price = timeout(short, supplier.price("silent")).await;
            assert!(price.is_err());
        }
        assert_eq!(supplier.places.available_permits(), PLACES);
        assert_eq!(supplier.price("tea").await?, 12);
        // The connection of a canceled request isn't used again.
        let connections =
            server.seen.connections.load(Ordering::Relaxed);
        assert_eq!(connections, 2 * PLACES + 2);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_read_timeout() -> anyhow::Result<()> {
        let server = start().await?;
        let supplier = Supplier::new(server.prices.clone())?;
        let silent = supplier.price("silent");
        let error = timeout(LIMIT, silent).await?.expect_err("silent");
        let error: reqwest::Error = error.downcast()?;
        assert!(error.is_timeout());
        assert_eq!(supplier.places.available_permits(), PLACES);
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_an_error() -> anyhow::Result<()> {
        let server = start().await?;
        let supplier = Supplier::new(server.prices.clone())?;
        assert!(supplier.price("fails").await.is_err());
        // It follows no redirect: the answer isn't a price.
        assert!(supplier.price("moved").await.is_err());
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 0);
        assert_eq!(supplier.price("tea").await?, 12);
        drop(server);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(supplier.price("tea").await.is_err());
        Ok(())
    }

    /// Whatever the item is, it's asked for at the supplier.
    #[tokio::test]
    async fn edges_of_items_stay_at_the_supplier() -> anyhow::Result<()>
    {
        let other = start().await?;
        let server = start().await?;
        let supplier = Supplier::new(server.prices.clone())?;
        let elsewhere = other.prices.join("tea")?.to_string();
        let no_scheme = elsewhere.replace("http:", "");
        for item in [
            elsewhere.as_str(),
            no_scheme.as_str(),
            "../price/tea",
            "tea?a=1",
            "tea#1",
            "grüner tee",
        ] {
            assert_eq!(supplier.price(item).await?, 12, "{item}");
        }
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 6);
        // These aren't items.
        for item in ["", ".", "..", ".\t.", "te\na"] {
            assert!(supplier.price(item).await.is_err());
        }
        assert_eq!(server.seen.requests.load(Ordering::Relaxed), 6);
        assert_eq!(other.seen.requests.load(Ordering::Relaxed), 0);
        Ok(())
    }
}
