//! Wrong: the body extractor isn't the last argument.

use axum::{Json, Router, extract::State, routing::post};

type Prices = std::sync::Arc<[u32]>;

// ANCHOR: wrong
#[axum::debug_handler]
async fn order(
    Json(items): Json<Vec<usize>>,
    State(prices): State<Prices>,
) {
    let total: u32 = items.iter().map(|&item| prices[item]).sum();
    println!("{total} euros");
}
// ANCHOR_END: wrong

fn main() {
    let prices = Prices::from([12, 8]);
    let routes: Router =
        Router::new().route("/orders", post(order)).with_state(prices);
    drop(routes);
}
