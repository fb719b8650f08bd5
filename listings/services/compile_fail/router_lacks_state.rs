//! Wrong: this router still lacks its state, as its type says.

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
fn shop() -> Router<Arc<Shop>> {
    Router::new().route("/name", get(name))
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let routes: Router = Router::new().nest("/shop", shop());
    axum::serve(listener, routes).await
}
// ANCHOR_END: wrong

fn main() {
    drop((serve, Shop { name: "Tea".to_owned() }));
}
