//! What `TimeoutLayer` covers, and which layer covers the response body.

use axum::{Router, body::Body, http::StatusCode, routing::get};
use futures::stream;
use tokio::time::{Duration, sleep};
use tower_http::timeout::{
    ResponseBodyDeadlineLayer, ResponseBodyTimeoutLayer, TimeoutLayer,
};

// ANCHOR: layers
const LIMIT: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);

async fn slow() -> &'static str {
    sleep(HOUR).await;
    "12 euros"
}

/// Sends the start of a body, and then nothing.
async fn stalled() -> Body {
    let begun = stream::iter([Ok::<_, Infallible>("12 ")]);
    Body::from_stream(begun.chain(stream::pending()))
}

/// Sends a body that never ends.
async fn endless() -> Body {
    let pieces = stream::repeat(Ok::<_, Infallible>("12 "));
    Body::from_stream(pieces.then(async |piece| {
        sleep(LIMIT / 3).await;
        piece
    }))
}

fn routes() -> Router {
    Router::new()
        .route("/slow", get(slow))
        .route("/stalled", get(stalled))
        .route("/endless", get(endless))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            LIMIT,
        ))
}

/// Limits a body's pauses, and its whole duration.
fn with_body_limits() -> Router {
    routes()
        .layer(ResponseBodyTimeoutLayer::new(LIMIT))
        .layer(ResponseBodyDeadlineLayer::new(LONGEST))
}
// ANCHOR_END: layers

use std::convert::Infallible;

use axum::{body::to_bytes, extract::Request};
use futures::StreamExt;
use tokio::time::timeout;
use tower::ServiceExt;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Returns the status of an answer, and what becomes of its body.
async fn ask(routes: Router, path: &str) -> anyhow::Result<String> {
    let request = Request::get(path).body(Body::empty())?;
    let answer = routes.oneshot(request).await?;
    let status = answer.status().as_u16();
    let read = to_bytes(answer.into_body(), 1_000_000);
    let body = match timeout(HOUR, read).await {
        Ok(Ok(_)) => "complete",
        Ok(Err(_)) => "ended by an error",
        Err(_) => "still open after an hour",
    };
    Ok(format!("{status}, body {body}"))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    for path in ["/slow", "/stalled", "/endless"] {
        println!("{path}: {}", ask(routes(), path).await?);
    }
    println!("with limits for bodies:");
    for path in ["/stalled", "/endless"] {
        println!("{path}: {}", ask(with_body_limits(), path).await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_needs_another_layer() -> anyhow::Result<()>
    {
        let open = ask(routes(), "/stalled").await?;
        assert_eq!(open, "200, body still open after an hour");
        for path in ["/stalled", "/endless"] {
            let ended = ask(with_body_limits(), path).await?;
            assert_eq!(ended, "200, body ended by an error");
        }
        Ok(())
    }
}
