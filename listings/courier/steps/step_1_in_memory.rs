//! Step 1: deliver webhooks in 60 lines. The queue is in memory.

use std::env::args;

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path, State},
    http::{Request, StatusCode},
    routing::post,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    net::TcpListener,
    sync::mpsc::{Receiver, Sender, channel},
};

// ANCHOR: queue
type Event = (String, Bytes);

async fn accept(
    State(queue): State<Sender<Event>>,
    Path(topic): Path<String>,
    body: Bytes,
) -> StatusCode {
    match queue.send((topic, body)).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn deliver(mut queue: Receiver<Event>, url: String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    while let Some((topic, body)) = queue.recv().await {
        let request = Request::post(&url)
            .header("topic", topic)
            .body(Full::new(body));
        let answer = match request {
            Ok(request) => client.request(request).await,
            Err(error) => return eprintln!("{url}: {error}"),
        };
        match answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => eprintln!("lost: {}", answer.status()),
            Err(error) => eprintln!("lost: {error}"),
        }
    }
}
// ANCHOR_END: queue

// ANCHOR: main
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = args().nth(1).context("usage: step_1 URL")?;
    let (sender, queue) = channel(1000);
    let deliveries = tokio::spawn(deliver(queue, url));
    let router = Router::new()
        .route("/events/{topic}", post(accept))
        .with_state(sender);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(deliveries.await?)
}
// ANCHOR_END: main
