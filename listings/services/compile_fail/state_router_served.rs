//! Wrong: a router that lacks its state can't be served.

use std::{io, sync::Arc};

use axum::{Router, extract::State, routing::get};
use tokio::net::TcpListener;

struct Shop {
    name: String,
}

async fn name(State(shop): State<Arc<Shop>>) -> String {
    shop.name.clone()
}

// ANCHOR: wrong
async fn serve(listener: TcpListener) -> io::Result<()> {
    let routes = Router::new().route("/name", get(name));
    axum::serve(listener, routes).await
}
// ANCHOR_END: wrong

fn main() {
    drop((serve, Shop { name: "Tea".to_owned() }));
}
