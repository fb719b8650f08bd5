//! Which requests share one limit: the requests of a connection, the
//! requests of a route, or all requests.

// ANCHOR: limits
use std::time::Duration;

use axum::{
    BoxError, Router, error_handling::HandleErrorLayer,
    http::StatusCode,
};
use tower::{
    ServiceBuilder,
    buffer::BufferLayer,
    limit::{
        ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer,
        RateLimitLayer,
    },
};

/// Adds a limit of one request at a time, or of one request an hour.
fn limited(routes: Router, limit: &str) -> Router {
    match limit {
        "ConcurrencyLimitLayer" => {
            routes.layer(ConcurrencyLimitLayer::new(1))
        }
        "GlobalConcurrencyLimitLayer" => {
            routes.layer(GlobalConcurrencyLimitLayer::new(1))
        }
        _ => routes.layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(failed))
                .layer(BufferLayer::new(8))
                .layer(RateLimitLayer::new(1, HOUR)),
        ),
    }
}
// ANCHOR_END: limits

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn failed(error: BoxError) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
    routing::get,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: serve
/// With `once`, the layers are applied once, before the server starts.
/// Otherwise, axum applies them again to each connection.
async fn serve(
    listener: TcpListener,
    shop: Router,
    once: bool,
) -> io::Result<()> {
    match once {
        true => axum::serve(listener, shop.into_make_service()).await,
        false => axum::serve(listener, shop).await,
    }
}
// ANCHOR_END: serve

/// Sends four requests on four connections, two to each route. Returns
/// how many of them get through the limit, while none is answered.
async fn through(limit: &str, once: bool) -> io::Result<u32> {
    let started = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&started);
    let wait = async move || {
        counted.fetch_add(1, Relaxed);
        std::future::pending::<()>().await;
    };
    let (arrived, mut arrivals) = mpsc::channel(4);
    let arrive = from_fn(move |request: Request, next: Next| {
        let arrived = arrived.clone();
        async move {
            let sent = arrived.try_send(());
            sent.expect("there are four requests");
            next.run(request).await
        }
    });
    let routes = Router::new()
        .route("/prices", get(wait.clone()))
        .route("/orders", get(wait));
    let shop = limited(routes, limit).layer(arrive);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, shop, once));
    let _server = AbortOnDropHandle::new(server);

    let mut clients = Vec::new();
    for path in ["/prices", "/orders", "/prices", "/orders"] {
        let mut client = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
        client.write_all(request.as_bytes()).await?;
        clients.push(client);
        let _ = arrivals.recv().await;
    }
    // The buffer's task passes its requests on.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    Ok(started.load(Relaxed))
}

const LIMITS: [&str; 3] = [
    "ConcurrencyLimitLayer",
    "GlobalConcurrencyLimitLayer",
    "RateLimitLayer in a BufferLayer",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    println!("4 connections, 2 routes, a limit of 1:");
    for limit in LIMITS {
        println!("{limit}");
        let each = through(limit, false).await?;
        println!("  axum::serve(listener, shop): {each}");
        let once = through(limit, true).await?;
        println!("  with into_make_service():    {once}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_global_one_limits_all() -> io::Result<()> {
        for (limit, each, once) in [(0, 4, 2), (1, 1, 1), (2, 4, 2)] {
            assert_eq!(through(LIMITS[limit], false).await?, each);
            assert_eq!(through(LIMITS[limit], true).await?, once);
        }
        Ok(())
    }
}
