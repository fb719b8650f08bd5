//! Wrong: axum can't turn the handler's error into a response.

use std::io;

use axum::{Router, routing::get};

// ANCHOR: wrong
#[axum::debug_handler]
async fn price_list() -> Result<String, io::Error> {
    let prices = tokio::fs::read_to_string("prices.txt").await?;
    Ok(prices)
}
// ANCHOR_END: wrong

fn main() {
    let routes: Router =
        Router::new().route("/prices", get(price_list));
    drop(routes);
}
