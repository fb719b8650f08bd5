//! Answer every request: errors from `?`, and even a panic, become responses.

// ANCHOR: handler
use std::{io, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use tower_http::catch_panic::CatchPanicLayer;

/// Writes an order, and answers with its price.
#[axum::debug_handler]
async fn order(
    State(shop): State<Arc<Shop>>,
    body: Result<Json<Order>, JsonRejection>,
) -> Result<(StatusCode, String), OrderError> {
    let Json(order) = body?;
    let price = shop.price(&order)?;
    shop.write(&order).await?;
    Ok((StatusCode::CREATED, format!("{price} euros")))
}

/// The layer that's added last is the outermost.
fn routes(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/orders", post(order))
        .with_state(shop)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(CatchPanicLayer::new())
}
// ANCHOR_END: handler

// ANCHOR: errors
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error(transparent)]
    Rejected(#[from] JsonRejection),
    #[error("we don't sell {0:?}")]
    NotSold(String),
    #[error("the order wasn't written")]
    Disk(#[from] io::Error),
}

impl IntoResponse for OrderError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Rejected(rejection) => rejection.status(),
            Self::NotSold(_) => StatusCode::NOT_FOUND,
            Self::Disk(cause) => {
                // The cause belongs in the log, not in the response.
                tracing::error!(%cause, "{self}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, self.to_string()).into_response()
    }
}
// ANCHOR_END: errors

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 4096;

#[derive(Deserialize)]
struct Order {
    item: String,
    size: usize,
}

/// The prices of each size of tea.
struct Shop {
    prices: [u32; 2],
    disk_full: bool,
}

impl Shop {
    fn price(&self, order: &Order) -> Result<u32, OrderError> {
        if order.item != "tea" {
            return Err(OrderError::NotSold(order.item.clone()));
        }
        Ok(self.prices[order.size]) // Panics if there is no such size.
    }

    async fn write(&self, _order: &Order) -> io::Result<()> {
        tokio::task::yield_now().await;
        match self.disk_full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

/// A server, which stops when this is dropped.
struct Server {
    url: String,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn start(disk_full: bool) -> io::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/orders", listener.local_addr()?);
    let shop = Shop { prices: [5, 9], disk_full };
    let served = axum::serve(listener, routes(Arc::new(shop)));
    let task = tokio::spawn(served.into_future()).abort_handle();
    Ok(Server { url, task })
}

type Answer = reqwest::Result<String>;

/// Sends a body, and returns the answer's status and text.
async fn send(
    client: &reqwest::Client,
    url: &str,
    body: &Value,
) -> Answer {
    let answer = client.post(url).json(body).send().await?;
    let status = answer.status().as_u16();
    Ok(format!("{status} {}", answer.text().await?))
}

// ANCHOR: requests
async fn requests(
    client: &reqwest::Client,
    url: &str,
) -> anyhow::Result<()> {
    for body in [
        json!({ "item": "tea", "size": 1 }),
        json!({ "item": "coffee", "size": 1 }),
        json!({ "item": "tea" }),
        json!({ "item": "tea".repeat(LONGEST_BODY), "size": 1 }),
        json!({ "item": "tea", "size": 2 }),
    ] {
        println!("{}", send(client, url, &body).await?);
    }
    let plain = client.post(url).body("tea").send().await?;
    println!("{} {}", plain.status().as_u16(), plain.text().await?);
    Ok(())
}
// ANCHOR_END: requests

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .init();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let server = start(false).await?;
    requests(&client, &server.url).await?;
    let server = start(true).await?;
    let tea = json!({ "item": "tea", "size": 0 });
    println!("{}", send(&client, &server.url, &tea).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::{StreamExt, stream};

    use super::*;

    fn client() -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy();
        builder.build().expect("a client")
    }

    fn tea(size: usize) -> Value {
        json!({ "item": "tea", "size": size })
    }

    #[tokio::test]
    async fn panic_in_a_handler_is_answered() -> anyhow::Result<()> {
        let (server, client) = (start(false).await?, client());
        for _ in 0..3 {
            let answer = send(&client, &server.url, &tea(2)).await?;
            assert_eq!(answer, "500 Service panicked");
            let answer = send(&client, &server.url, &tea(1)).await?;
            assert_eq!(answer, "201 9 euros");
        }
        Ok(())
    }

    /// The layer covers the handler, and not the body: its status has
    /// been sent.
    #[tokio::test]
    async fn panic_in_a_body_breaks_the_answer() -> anyhow::Result<()> {
        let body = async || {
            let price = stream::iter([Ok::<_, io::Error>("5 ")]);
            let panics = stream::once(async {
                std::panic::resume_unwind(Box::new("no currency"))
            });
            Body::from_stream(price.chain(panics))
        };
        let catch = CatchPanicLayer::new();
        let routes = Router::new()
            .route("/price", axum::routing::get(body))
            .layer(catch);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/price", listener.local_addr()?);
        let served = axum::serve(listener, routes).into_future();
        let server = tokio::spawn(served);
        let answer = client().get(url).send().await;
        let text = async { answer?.text().await };
        assert!(text.await.is_err());
        server.abort();
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_disk_stays_in_the_log() -> anyhow::Result<()>
    {
        let (server, client) = (start(true).await?, client());
        let answer = send(&client, &server.url, &tea(1)).await?;
        assert_eq!(answer, "500 the order wasn't written");
        Ok(())
    }

    #[tokio::test]
    async fn edges_every_route_has_its_state() -> anyhow::Result<()> {
        let (server, client) = (start(false).await?, client());
        let answer = send(&client, &server.url, &tea(0)).await?;
        assert_eq!(answer, "201 5 euros");
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_bodies() -> anyhow::Result<()> {
        let (server, client) = (start(false).await?, client());
        for (body, status) in [
            (json!({}), "422"),
            (json!(null), "422"),
            (json!({ "item": "Käse", "size": 0 }), "404"),
            (json!({ "item": "", "size": 0 }), "404"),
            (json!({ "item": "tea", "size": -1 }), "422"),
            (json!({ "item": "tea", "size": usize::MAX }), "500"),
            (json!("x".repeat(LONGEST_BODY - 2)), "422"),
            (json!("x".repeat(LONGEST_BODY - 1)), "413"),
        ] {
            let answer = send(&client, &server.url, &body).await?;
            assert!(answer.starts_with(status), "{answer}");
        }
        Ok(())
    }

    /// Many requests at the same time, some of which fail.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_everyone() -> anyhow::Result<()> {
        let (server, client) = (start(false).await?, client());
        let bodies: Vec<Value> =
            (0..60).map(|nth| tea(nth % 3)).collect();
        let sent =
            bodies.iter().map(|it| send(&client, &server.url, it));
        let answers = futures::future::try_join_all(sent).await?;
        for (nth, answer) in answers.iter().enumerate() {
            let status = if nth % 3 == 2 { "500" } else { "201" };
            assert!(answer.starts_with(status), "{answer}");
        }
        Ok(())
    }

    /// A canceled handler has written nothing, or everything.
    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_behind() {
        hazards::at_every_poll(async |cancel| {
            let shop = Shop { prices: [5, 9], disk_full: false };
            let tea = Order { item: "tea".to_owned(), size: 0 };
            let ordered = order(State(Arc::new(shop)), Ok(Json(tea)));
            cancel.run(ordered).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
