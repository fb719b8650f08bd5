//! Wrong: the server doesn't wait for its WebSockets.

// ANCHOR: wrong
use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
};

async fn chat(upgrade: WebSocketUpgrade) -> Response {
    // Wrong: nothing stops this task or waits for it.
    upgrade.on_upgrade(talk)
}

async fn talk(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) = message
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}
// ANCHOR_END: wrong

use std::{error::Error, io, net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use futures::{SinkExt, StreamExt};
use tokio::{net::TcpListener, runtime::Builder, time::timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, Message as Sent},
};
use tokio_util::sync::CancellationToken;

/// Serves until shutdown.
async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let routes = Router::new().route("/chat", get(chat));
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// What a client gets when the server has ended, and its runtime is
/// dropped, as at the end of `main`.
async fn after_the_stop() -> Result<tungstenite::Result<Sent>, Failed> {
    let stop = CancellationToken::new();
    let (send, address) = tokio::sync::oneshot::channel();
    let stopped = stop.clone();
    let process = tokio::task::spawn_blocking(move || {
        let runtime =
            Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let _ = send.send(listener.local_addr()?);
            serve(listener, stopped).await
        })
    });
    let address: SocketAddr = address.await?;
    let (mut client, _) =
        connect_async(format!("ws://{address}/chat")).await?;
    client.send(Sent::text("tea?")).await?;
    client.next().await.ok_or("no answer")??;
    stop.cancel();
    timeout(PATIENCE, process).await???;
    Ok(client.next().await.ok_or("no message")?)
}

type Failed = Box<dyn Error>;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Failed> {
    match after_the_stop().await? {
        Ok(message) => println!("the client gets: {message:?}"),
        Err(error) => println!("the client gets: {error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It ends without a close frame.
    #[tokio::test]
    async fn stop_ends_the_chat() -> Result<(), Failed> {
        let cut = after_the_stop().await?.expect_err("no close frame");
        assert!(cut.to_string().contains("reset"), "{cut}");
        Ok(())
    }
}
