//! Wrong: a new client for each request, or a body that nobody reads.

// ANCHOR: wrong
use reqwest::{Client, StatusCode, Url};

/// Wrong: the client, with its connections, is dropped at the end.
async fn price(url: Url) -> reqwest::Result<String> {
    let client = Client::builder().no_proxy().build()?;
    client.get(url).send().await?.text().await
}

/// Wrong: half of the response stays unread in the connection.
async fn is_up(client: &Client, url: Url) -> reqwest::Result<bool> {
    let answer = client.get(url).send().await?;
    Ok(answer.status() == StatusCode::OK)
}
// ANCHOR_END: wrong

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get, serve::ListenerExt};
use tokio::{net::TcpListener, task::JoinSet};

/// A supplier that counts its connections, and stops when it's dropped.
struct Server {
    connections: Arc<AtomicUsize>,
    price: Url,
    catalog: Url,
    _running: JoinSet<()>,
}

async fn start() -> anyhow::Result<Server> {
    let connections = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}/", listener.local_addr()?);
    let count = connections.clone();
    let listener = listener.tap_io(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let routes = Router::new()
        .route("/price", get(async || "12"))
        .route("/catalog", get(async || "tea ".repeat(1_000_000)));
    let mut running = JoinSet::new();
    running.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            eprintln!("the supplier has stopped: {error}");
        }
    });
    let base: Url = base.parse()?;
    Ok(Server {
        connections,
        price: base.join("price")?,
        catalog: base.join("catalog")?,
        _running: running,
    })
}

/// Sends ten requests in each of the two ways. Returns how many
/// connections each of them took.
async fn ask_ten_times() -> anyhow::Result<[usize; 2]> {
    let server = start().await?;
    let pause = Duration::from_millis(1);
    for _ in 0..10 {
        price(server.price.clone()).await?;
        tokio::time::sleep(pause).await;
    }
    let new_clients = server.connections.swap(0, Ordering::Relaxed);
    let client = Client::builder().no_proxy().build()?;
    for _ in 0..10 {
        is_up(&client, server.catalog.clone()).await?;
        tokio::time::sleep(pause).await;
    }
    let unread = server.connections.load(Ordering::Relaxed);
    Ok([new_clients, unread])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let [new_clients, unread] = ask_ten_times().await?;
    println!(
        "10 requests, a new client each: {new_clients} connections"
    );
    println!("10 requests, bodies not read:   {unread} connections");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_requests_reuses_connections()
    -> anyhow::Result<()> {
        // It doesn't.
        assert_eq!(ask_ten_times().await?, [10, 10]);
        Ok(())
    }
}
