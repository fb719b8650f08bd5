//! Wrong: a task that only sends answers no pings.

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    time::{Duration, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

// ANCHOR: wrong
/// Reports a train's position every ten seconds.
async fn report(
    mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
) -> anyhow::Result<()> {
    loop {
        // Wrong: nobody reads the server's messages, so nothing
        // answers its pings.
        socket.send(Message::text("at Oslo")).await?;
        sleep(Duration::from_secs(10)).await;
    }
}
// ANCHOR_END: wrong

type Socket = WebSocketStream<DuplexStream>;

/// Sends a ping, and waits 90 seconds for the pong.
async fn pong(mut server: Socket) -> anyhow::Result<bool> {
    server.send(Message::Ping("".into())).await?;
    let pong = async {
        while let Some(message) = server.next().await {
            if let Message::Pong(_) = message? {
                break;
            }
        }
        anyhow::Ok(())
    };
    Ok(timeout(Duration::from_secs(90), pong).await.is_ok())
}

async fn answered() -> anyhow::Result<bool> {
    let (client, server) = duplex(1024);
    let client = Socket::from_raw_socket(client, Role::Client, None);
    let server = Socket::from_raw_socket(server, Role::Server, None);
    let (client, server) = tokio::join!(client, server);
    tokio::select! {
        biased;
        pong = pong(server) => pong,
        ended = report(client) => ended.map(|()| false),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    match answered().await? {
        true => println!("the client answers pings"),
        false => println!("90 s without a pong, and the server closes"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_pings_are_answered() {
        assert!(!answered().await.expect("in memory")); // They aren't.
    }

    #[tokio::test(start_paused = true)]
    async fn one_read_queues_the_pong_and_the_next_one_sends_it() {
        let (client, server) = duplex(1024);
        let client =
            Socket::from_raw_socket(client, Role::Client, None);
        let server =
            Socket::from_raw_socket(server, Role::Server, None);
        let (mut client, mut server) = tokio::join!(client, server);
        let ping = Message::Ping("".into());
        server.send(ping).await.expect("room");
        let read = client.next().await.expect("open").expect("a ping");
        assert!(read.is_ping());
        let limit = Duration::from_secs(90);
        let pong = timeout(limit, server.next()).await;
        assert!(pong.is_err(), "it's in the queue");
        let again = timeout(limit, client.next()).await;
        assert!(again.is_err(), "there's nothing to read");
        let pong = server.next().await.expect("open").expect("sent");
        assert!(pong.is_pong());
    }
}
