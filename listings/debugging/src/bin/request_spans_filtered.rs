//! Wrong: the span of the request has level DEBUG, and the filter removes it.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::StatusCode,
    routing::get,
};
use tower::ServiceExt;
use tower_http::trace::TraceLayer;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

// ANCHOR: mistake
fn app() -> Router {
    Router::new()
        .route("/orders/{number}", get(order))
        // The default line about a failure contains the latency,
        // which differs in each run.
        .layer(TraceLayer::new_for_http().on_failure(()))
}

async fn order(Path(number): Path<u32>) -> Result<String, StatusCode> {
    info!("is read");
    if number == 8 {
        error!("the store is offline");
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok("two cups".to_owned())
}
// ANCHOR_END: mistake

async fn ask(app: Router, path: &str) -> Result<(), Infallible> {
    let request = Request::get(path).body(Body::empty());
    app.oneshot(request.expect("it's a request")).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Infallible> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    ask(app(), "/orders/7").await?;
    ask(app(), "/orders/8").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tracing::instrument::WithSubscriber;

    #[tokio::test]
    async fn threads_each_line_names_its_request() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("info"))
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let both = async {
            tokio::join!(
                ask(app(), "/orders/7"),
                ask(app(), "/orders/8")
            )
        };
        let (first, second) = both.with_subscriber(subscriber).await;
        first.and(second).expect("it is answered");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("request{"), "{text}");
    }
}
