//! Wrong: `from_fn` has no state for the `State` extractor.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};

#[derive(Clone)]
struct Tokens;

async fn authorize(
    State(_tokens): State<Tokens>,
    request: Request,
    next: Next,
) -> Response {
    next.run(request).await
}

fn shop() -> Router {
    Router::new()
        .route("/orders", get(async || "no orders"))
        .layer(from_fn(authorize))
}

fn main() {}
