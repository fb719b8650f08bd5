//! What a WebSocket reports when it's closed, cut off, or used after
//! that.

use futures::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

type Socket = WebSocketStream<DuplexStream>;

/// Two ends of a connection, after the handshake.
async fn connection(config: WebSocketConfig) -> (Socket, Socket) {
    let (client, server) = duplex(1024);
    let config = Some(config);
    let client =
        Socket::from_raw_socket(client, Role::Client, config).await;
    let server =
        Socket::from_raw_socket(server, Role::Server, config).await;
    (client, server)
}

// ANCHOR: errors
async fn errors() {
    let (mut client, server) = connection(Default::default()).await;
    drop(server);
    show("the peer was dropped", client.next().await);
    show("next, after an error", client.next().await);
    let sent = client.send(Message::text("Oslo")).await;
    show("send, after an error", Some(sent));

    let (mut client, mut server) = connection(Default::default()).await;
    show("close", Some(client.close(None).await));
    let sent = client.send(Message::text("Oslo")).await;
    show("send, after close", Some(sent));
    show("the peer reads a", server.next().await);
    show("and then", server.next().await);

    let small = WebSocketConfig::default().max_message_size(Some(100));
    let (mut client, mut server) = connection(small).await;
    let sent = client.send(Message::text("x".repeat(101))).await;
    show("send 101 bytes", Some(sent));
    show("the peer's limit", server.next().await);
}
// ANCHOR_END: errors

type Outcome<T> =
    Option<Result<T, tokio_tungstenite::tungstenite::Error>>;

fn show<T: std::fmt::Debug>(what: &str, outcome: Outcome<T>) {
    match outcome {
        Some(Ok(value)) => println!("{what}: {value:?}"),
        Some(Err(error)) => println!("{what}: {error}"),
        None => println!("{what}: None"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    errors().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_close_is_answered_before_the_stream_ends() {
        let (mut client, mut server) =
            connection(Default::default()).await;
        client.close(None).await.expect("open");
        assert!(server.next().await.expect("open").is_ok());
        assert!(server.next().await.is_none());
        // The answer to the close frame.
        assert!(client.next().await.expect("open").is_ok());
        drop(server); // The client waits for that.
        assert!(client.next().await.is_none());
    }
}
