//! Wrong: nothing polls the connection, and the request never returns.

use hyper::Request;
use tokio::io::{AsyncRead, AsyncWrite};

// ANCHOR: wrong
use axum::body::Body;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;

async fn departures(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> anyhow::Result<String> {
    // Wrong: `_connection` reads and writes, and nothing polls it.
    let (mut sender, _connection) =
        handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/departures").header("host", "station");
    let answer =
        sender.send_request(request.body(Body::empty())?).await?;
    let body = Body::new(answer.into_body());
    let body = axum::body::to_bytes(body, 10_000).await?;
    Ok(String::from_utf8(body.into())?)
}
// ANCHOR_END: wrong

use axum::{Router, routing::get};
use hyper_util::service::TowerToHyperService;
use tokio::{
    io::duplex,
    time::{Duration, timeout},
};

/// Whether the client gets an answer within an hour.
async fn answered() -> bool {
    let (ours, theirs) = duplex(1024);
    let station =
        Router::new().route("/departures", get(async || "Oslo 12:05"));
    let server = hyper::server::conn::http1::Builder::new()
        .serve_connection(
            TokioIo::new(theirs),
            TowerToHyperService::new(station),
        );
    let client = timeout(Duration::from_secs(3600), departures(ours));
    let mut client = std::pin::pin!(client);
    tokio::select! {
        biased;
        answer = &mut client => answer.is_ok(),
        _ = server => client.await.is_ok(),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match answered().await {
        true => println!("the client has its answer"),
        false => println!("after an hour, there is no answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_what_the_client_gets() {
        assert!(!answered().await); // It is.
    }
}
