//! Wrong: the body's type can't be read from JSON.

use axum::{Json, Router, routing::post};

// ANCHOR: wrong
struct Order {
    item: String,
}

#[axum::debug_handler]
async fn order(Json(order): Json<Order>) -> String {
    order.item
}
// ANCHOR_END: wrong

fn main() {
    let routes: Router = Router::new().route("/orders", post(order));
    drop(routes);
}
