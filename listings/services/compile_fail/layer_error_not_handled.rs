//! Wrong: tower's timeout returns an error, and no layer turns it into
//! a response.

use std::time::Duration;

use axum::{Router, routing::get};
use tower::timeout::TimeoutLayer;

fn shop() -> Router {
    Router::new()
        .route("/price", get(async || "12 euros"))
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
}

fn main() {}
