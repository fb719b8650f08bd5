//! Wrong: a liveness probe that knows nothing about the service's tasks.

use axum::{Router, http::StatusCode, routing::get};
use tokio::sync::mpsc;
use tower::ServiceExt;

// ANCHOR: wrong
/// Wrong: it only shows that the server can answer.
async fn live() -> StatusCode {
    StatusCode::OK
}

/// Wrong: nothing waits for the task, so nobody learns that it ended.
fn start_import(mut orders: mpsc::Receiver<u32>) {
    tokio::spawn(async move {
        while let Some(order) = orders.recv().await {
            store(order).await;
        }
    });
}
// ANCHOR_END: wrong

async fn store(_order: u32) {
    std::panic::resume_unwind(Box::new("a bug"));
}

/// The status that the liveness probe gets.
async fn probed() -> Result<u16, http::Error> {
    let request = http::Request::get("/live");
    let request = request.body(axum::body::Body::empty())?;
    let routes = Router::new().route("/live", get(live));
    let answered = routes.oneshot(request).await;
    let response = answered.unwrap_or_else(|never| match never {});
    Ok(response.status().as_u16())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (orders, imported) = mpsc::channel(10);
    start_import(imported);
    orders.send(13).await?;
    orders.closed().await;
    println!("the import has ended: {}", orders.is_closed());
    println!("the liveness probe: {}", probed().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_task_fails_the_probe() {
        let (orders, imported) = mpsc::channel(10);
        start_import(imported);
        orders.send(13).await.expect("open");
        orders.closed().await;
        // It doesn't fail.
        assert_eq!(probed().await.expect("an answer"), 200);
    }
}
