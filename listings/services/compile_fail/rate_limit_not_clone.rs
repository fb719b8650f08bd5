//! Wrong: tower's rate limit isn't `Clone`, because each clone would
//! have a limit of its own.

use std::time::Duration;

use axum::{Router, routing::get};
use tower::limit::RateLimitLayer;

fn shop() -> Router {
    Router::new()
        .route("/price", get(async || "12 euros"))
        .layer(RateLimitLayer::new(5, Duration::from_secs(1)))
}

fn main() {}
