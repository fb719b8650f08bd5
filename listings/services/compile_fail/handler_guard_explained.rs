//! Wrong: the handler holds a std guard across an `.await`.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};

type Orders = Arc<Mutex<Vec<String>>>;

// ANCHOR: wrong
#[axum::debug_handler]
async fn order(State(orders): State<Orders>, body: String) {
    let mut orders = orders.lock().expect("no panic");
    orders.push(body);
    notify_warehouse().await;
}
// ANCHOR_END: wrong

fn service(orders: Orders) -> Router {
    Router::new().route("/orders", post(order)).with_state(orders)
}

async fn notify_warehouse() {
    tokio::task::yield_now().await;
}

fn main() {
    drop(service(Orders::default()));
}
