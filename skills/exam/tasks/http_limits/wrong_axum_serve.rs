//! Fails: further_clients_wait, silent_clients_are_disconnected, bodies_are_limited, grace_ends_everything
//! `axum::serve` limits neither heads nor connections, its connections outlive it, and only extractors heed `DefaultBodyLimit`.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::limit::GlobalConcurrencyLimitLayer;

#[derive(Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    pub head: Duration,
    pub request: Duration,
    pub body: usize,
    pub grace: Duration,
}

pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: CancellationToken) {
    let limited = move |request: Request, next: Next| async move {
        match timeout(limits.request, next.run(request)).await {
            Ok(response) => response,
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        }
    };
    let app = app
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(from_fn(limited))
        .layer(GlobalConcurrencyLimitLayer::new(limits.connections));
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        sleep(limits.grace).await;
    };
    tokio::select! {
        _ = serving.into_future() => {}
        () = late => {}
    }
}
