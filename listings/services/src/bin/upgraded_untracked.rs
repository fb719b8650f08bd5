//! Wrong: the server doesn't wait for connections that were upgraded.

// ANCHOR: wrong
use axum::{
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
};
use hyper_util::rt::TokioIo;

type Answer = (StatusCode, [(HeaderName, &'static str); 2]);

/// Turns the connection into a chat.
async fn chat(State(open): State<Open>, request: Request) -> Answer {
    tokio::spawn(async move {
        let _open = open;
        let upgrade = hyper::upgrade::on(request);
        if let Ok(connection) = upgrade.await {
            // Wrong: nothing stops this task or waits for it.
            talk(TokioIo::new(connection)).await;
        }
    });
    let headers =
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "chat")];
    (StatusCode::SWITCHING_PROTOCOLS, headers)
}
// ANCHOR_END: wrong

use std::{io, sync::Arc};

use axum::{Router, routing::get};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt,
        BufReader,
    },
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// Each open chat has one.
type Open = Arc<()>;

/// Answers each line, until the client disconnects.
async fn talk(mut connection: impl AsyncRead + AsyncWrite + Unpin) {
    // The end of a connection is the end of the chat.
    let _ = async {
        connection.write_all(b"hello\n").await?;
        let mut lines = BufReader::new(&mut connection).lines();
        while let Some(line) = lines.next_line().await? {
            lines.get_mut().write_all(line.as_bytes()).await?;
        }
        io::Result::Ok(())
    }
    .await;
}

/// Stops the server while a chat is open. Returns how many chats are
/// open when the server has ended.
async fn stop_while_one_chats() -> io::Result<usize> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, open) = (CancellationToken::new(), Open::default());
    let routes = Router::new()
        .route("/chat", get(chat))
        .with_state(open.clone());
    let server = tokio::spawn(
        axum::serve(listener, routes)
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future(),
    );
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /chat HTTP/1.1\r\nhost: shop\r\n\
        connection: upgrade\r\nupgrade: chat\r\n\r\n";
    client.write_all(request).await?;
    let mut lines = BufReader::new(client).lines();
    while lines.next_line().await?.is_some_and(|line| line != "hello") {
    }
    stop.cancel();
    server.await??;
    Ok(Arc::strong_count(&open) - 1)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let open = stop_while_one_chats().await?;
    println!("the server has ended; chats still open: {open}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_ends_the_chat() -> io::Result<()> {
        // It doesn't.
        assert_eq!(stop_while_one_chats().await?, 1);
        Ok(())
    }
}
