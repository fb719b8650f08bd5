//! Wrong: an axum handler holds a std guard across an `.await`.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};

type Orders = Arc<Mutex<Vec<String>>>;

// ANCHOR: wrong
async fn order(State(orders): State<Orders>, body: String) {
    let mut orders = orders.lock().expect("no panic");
    orders.push(body);
    notify_warehouse().await;
}

fn service(orders: Orders) -> Router {
    Router::new().route("/orders", post(order)).with_state(orders)
}
// ANCHOR_END: wrong

async fn notify_warehouse() {
    tokio::task::yield_now().await;
}

fn main() {
    drop(service(Orders::default()));
}
