//! Wrong: `LoadShedLayer` has a `layer` call of its own, so it never
//! sheds load.

// ANCHOR: wrong
use axum::{
    BoxError, Router, error_handling::HandleErrorLayer,
    http::StatusCode,
};
use tower::{
    ServiceBuilder, limit::GlobalConcurrencyLimitLayer,
    load_shed::LoadShedLayer,
};

/// To the outer `layer` call, the routes are always ready: they wait
/// for the permit inside their future.
fn layered(routes: Router, most: usize) -> Router {
    routes.layer(GlobalConcurrencyLimitLayer::new(most)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(refused))
            .layer(LoadShedLayer::new()),
    )
}

async fn refused(error: BoxError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}
// ANCHOR_END: wrong

use std::{sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, routing::get};
use tokio::{sync::Notify, time::timeout};
use tower::ServiceExt;

/// The status for a price while a payment waits for its bank.
async fn price_meanwhile() -> Option<StatusCode> {
    let begun = Arc::new(Notify::new());
    let paying = Arc::clone(&begun);
    let pay = async move || {
        paying.notify_one();
        std::future::pending::<()>().await;
    };
    let routes = Router::new()
        .route("/price", get(async || "12 euros"))
        .route("/pay", get(pay));
    let shop: Router = layered(routes, 1);
    let payment = shop.clone().oneshot(request("/pay"));
    let price = async {
        begun.notified().await;
        let asked = shop.clone().oneshot(request("/price"));
        let answer = timeout(Duration::from_secs(60), asked).await;
        answer.ok()?.ok().map(|answer| answer.status())
    };
    tokio::select! {
        biased;
        _ = payment => None,
        status = price => status,
    }
}

fn request(path: &str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    request
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match price_meanwhile().await {
        Some(status) => println!("price: {status}"),
        None => println!("price: no answer in a minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_until_a_permit_is_free() {
        assert_eq!(price_meanwhile().await, None);
    }
}
