//! Every log line of a request names the request, whatever the filter.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use tower::ServiceExt;
use tower_http::{
    classify::ServerErrorsFailureClass, trace::TraceLayer,
};
use tracing::{Span, error, error_span, info, instrument};
use tracing_subscriber::EnvFilter;

// ANCHOR: app
fn app() -> Router {
    let requests = TraceLayer::new_for_http()
        .make_span_with(request_span)
        .on_request(())
        .on_response(answered)
        .on_failure(failed);
    Router::new().route("/orders/{number}", get(order)).layer(requests)
}

/// At level ERROR: a filter that lets errors through keeps the span.
fn request_span(request: &Request) -> Span {
    let id = request_id(request.headers());
    let path = request.uri().path();
    error_span!("request", id, method = %request.method(), path)
}

/// In production, add the latency.
fn answered(response: &Response, _latency: Duration, _span: &Span) {
    info!(status = response.status().as_u16(), "is answered");
}

fn failed(
    class: ServerErrorsFailureClass,
    _latency: Duration,
    _span: &Span,
) {
    error!(%class, "has failed");
}
// ANCHOR_END: app

// ANCHOR: id
/// The caller's id, if it's short and printable, or an id of our own.
fn request_id(headers: &HeaderMap) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let header = headers.get("x-request-id");
    match header.and_then(|id| id.to_str().ok()) {
        Some(id) if (1..=64).contains(&id.len()) => id.to_owned(),
        _ => format!("own-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}
// ANCHOR_END: id

// ANCHOR: handler
async fn order(Path(number): Path<u32>) -> Result<String, StatusCode> {
    info!("is read");
    let found = Replica.find(number).await;
    found.map_err(|_logged| StatusCode::INTERNAL_SERVER_ERROR)
}

trait Orders {
    async fn find(&self, number: u32) -> Result<String, StoreError>;
}

impl Orders for Replica {
    #[instrument(level = "error", skip(self), err(Debug))]
    async fn find(&self, number: u32) -> Result<String, StoreError> {
        match number {
            7 => Ok("two cups".to_owned()),
            _ => Err(StoreError::Offline),
        }
    }
}
// ANCHOR_END: handler

struct Replica;

#[derive(Debug)]
enum StoreError {
    Offline,
}

async fn ask(
    app: Router,
    path: &str,
    id: &[u8],
) -> Result<StatusCode, Infallible> {
    let request = Request::get(path)
        .header("x-request-id", id)
        .body(Body::empty())
        .expect("it's a request");
    Ok(app.oneshot(request).await?.status())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Infallible> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    ask(app(), "/orders/7", b"a1").await?;
    ask(app(), "/orders/8", b"b2").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tracing::instrument::WithSubscriber;

    /// For each call site, tracing caches whether a subscriber listens,
    /// so tests with different filters run one after the other.
    static ALONE: tokio::sync::Mutex<()> =
        tokio::sync::Mutex::const_new(());

    /// What is logged, at this filter.
    async fn logged(filter: &str, work: impl Future) -> String {
        let _alone = ALONE.lock().await;
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        work.with_subscriber(subscriber).await;
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[tokio::test]
    async fn threads_each_line_names_its_request() {
        let work = async {
            let asked = (0..20).map(|id| async move {
                let id = format!("a{id}");
                ask(app(), "/orders/7", id.as_bytes()).await
            });
            futures::future::join_all(asked).await
        };
        let text = logged("info", work).await;
        for id in 0..20 {
            let request = format!("request{{id=\"a{id}\" ");
            assert_eq!(text.matches(&request).count(), 2, "{text}");
        }
        assert_eq!(text.lines().count(), 40, "{text}");
    }

    #[tokio::test]
    async fn failure_is_logged_in_its_request_even_if_only_errors_are()
    {
        let work = ask(app(), "/orders/8", b"b2");
        let text = logged("error", work).await;
        assert_eq!(text.lines().count(), 2, "{text}");
        for line in text.lines() {
            assert!(line.contains("id=\"b2\""), "{line}");
        }
        assert!(text.contains("error=Offline"), "{text}");
        assert!(text.contains("500 Internal Server Error"), "{text}");
    }

    #[tokio::test]
    async fn edges_a_bad_id_is_replaced() {
        let long = "a".repeat(65);
        for id in [b"".as_slice(), b"\xff", long.as_bytes()] {
            let text =
                logged("info", ask(app(), "/orders/7", id)).await;
            assert!(text.contains("id=\"own-"), "{text}");
        }
        // A quote is escaped, so a caller can't invent a field.
        let quoted = ask(app(), "/orders/7", b"a\" path=\"x");
        let text = logged("info", quoted).await;
        assert!(text.contains(r#"id="a\" path=\"x""#), "{text}");
    }
}
