//! Wrong: the permit is released when the response starts, while its
//! body is still being sent.

// ANCHOR: wrong
use axum::{Router, body::Body, routing::get};
use futures::{StreamExt, stream};
use tower::limit::GlobalConcurrencyLimitLayer;

/// Sends endless exports, two at a time.
fn shop() -> Router {
    let export = async || {
        let lines =
            stream::repeat_with(|| Ok::<_, axum::Error>("an order\n"));
        Body::from_stream(lines)
    };
    Router::new()
        .route("/export", get(export))
        .layer(GlobalConcurrencyLimitLayer::new(2))
}
// ANCHOR_END: wrong

use axum::extract::Request;
use tower::ServiceExt;

/// Five clients ask for an export. Returns how many exports are being
/// sent.
async fn exports() -> usize {
    let shop = shop();
    let mut sending = Vec::new();
    for _ in 0..5 {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/export".parse().expect("a path");
        let Ok(answer) = shop.clone().oneshot(request).await;
        let mut body = answer.into_body().into_data_stream();
        if let Some(Ok(_line)) = body.next().await {
            sending.push(body);
        }
    }
    sending.len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("exports at a time: {}", exports().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_counts_exports_that_are_still_sent() {
        assert_eq!(exports().await, 5);
    }
}
