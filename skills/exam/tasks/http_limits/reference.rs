//! hyper's `header_read_timeout` with a timer, a limited body for every handler, and a set that owns the connections.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use http_body_util::Limited;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

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
        let request = request.map(|body| Body::new(Limited::new(body, limits.body)));
        match timeout(limits.request, next.run(request)).await {
            Ok(response) => response,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    };
    // The default limit of the extractors could be lower.
    let app = app
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(limited));
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = clients.join_next() => report(ended),
            accepted = listener.accept(), if clients.len() < limits.connections => match accepted {
                Ok((socket, _)) => {
                    clients.spawn(talk(socket, app.clone(), limits.head, stop.clone()));
                }
                Err(error) => {
                    tracing::error!(%error, "can't accept a connection");
                    stop.run_until_cancelled(sleep(Duration::from_millis(100))).await;
                }
            },
        }
    }
    drop(listener);
    let rest = async {
        while let Some(ended) = clients.join_next().await {
            report(ended);
        }
    };
    if timeout(limits.grace, rest).await.is_err() {
        clients.shutdown().await;
    }
}

async fn talk(
    socket: TcpStream,
    app: Router,
    head: Duration,
    stop: CancellationToken,
) -> hyper::Result<()> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let service = TowerToHyperService::new(app);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

fn report(ended: Result<hyper::Result<()>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client is gone"),
        Err(error) => tracing::error!(%error, "a client's task ended"),
    }
}
