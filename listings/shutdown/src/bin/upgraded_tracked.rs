//! Upgraded connections are told to stop, and waited for.

// ANCHOR: chat
use axum::{
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
};
use hyper_util::rt::TokioIo;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[derive(Clone, Default)]
struct Chats {
    stop: CancellationToken,
    open: TaskTracker,
}

type Answer = (StatusCode, [(HeaderName, &'static str); 2]);

/// Turns the connection into a chat.
async fn chat(State(chats): State<Chats>, request: Request) -> Answer {
    let stop = chats.stop;
    chats.open.spawn(async move {
        let upgrade = hyper::upgrade::on(request);
        if let Ok(connection) = upgrade.await {
            talk(TokioIo::new(connection), stop).await;
        }
    });
    let headers =
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "chat")];
    (StatusCode::SWITCHING_PROTOCOLS, headers)
}
// ANCHOR_END: chat

use std::io;

use axum::{Router, routing::get};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
        AsyncWriteExt, BufReader,
    },
    net::{TcpListener, TcpStream},
};

/// Answers each line, until the client goes or it is told to stop.
async fn talk(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    stop: CancellationToken,
) {
    // The end of a connection is the end of the chat.
    let _ = async {
        connection.write_all(b"hello\n").await?;
        let mut lines = BufReader::new(&mut connection).lines();
        // `next_line` keeps what it has read of a line when it is cut.
        while let Some(line) =
            stop.run_until_cancelled(lines.next_line()).await
        {
            let Some(line) = line? else { return Ok(()) };
            lines.get_mut().write_all(line.as_bytes()).await?;
        }
        connection.write_all(b"goodbye\n").await?;
        connection.shutdown().await
    }
    .await;
}

// ANCHOR: stop
/// First no more connections, then the end of those that are there.
async fn stop_all(
    chats: &Chats,
    server: tokio::task::JoinHandle<io::Result<()>>,
) -> io::Result<()> {
    chats.stop.cancel();
    server.await??;
    chats.open.close();
    chats.open.wait().await;
    Ok(())
}
// ANCHOR_END: stop

/// Stops the server while a chat is open. Returns what its client is
/// told.
async fn stop_while_one_chats() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let chats = Chats::default();
    let routes = Router::new()
        .route("/chat", get(chat))
        .with_state(chats.clone());
    let server = tokio::spawn(
        axum::serve(listener, routes)
            .with_graceful_shutdown(
                chats.stop.clone().cancelled_owned(),
            )
            .into_future(),
    );
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /chat HTTP/1.1\r\nhost: shop\r\n\
        connection: upgrade\r\nupgrade: chat\r\n\r\n";
    client.write_all(request).await?;
    let mut lines = BufReader::new(client).lines();
    while lines.next_line().await?.is_some_and(|line| line != "hello") {
    }
    stop_all(&chats, server).await?;
    let mut told = String::new();
    lines.get_mut().read_to_string(&mut told).await?;
    Ok(told.trim_end().to_owned())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("the client is told: {}", stop_while_one_chats().await?);
    println!("the server and its chats have ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_chat_is_told_and_waited_for() -> io::Result<()> {
        assert_eq!(stop_while_one_chats().await?, "goodbye");
        Ok(())
    }
}
