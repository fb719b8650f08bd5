//! Wrong: the router's state isn't the type that the handler needs.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};

// ANCHOR: wrong
struct Shop {
    name: String,
}

#[axum::debug_handler]
async fn name(State(shop): State<Arc<Shop>>) -> String {
    shop.name.clone()
}

fn routes(shop: Shop) -> Router {
    Router::new().route("/", get(name)).with_state(shop)
}
// ANCHOR_END: wrong

fn main() {
    drop(routes(Shop { name: "Tea".to_owned() }));
}
