//! What the peer reads when one half of a socket is dropped.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

/// Two ends of a connection.
async fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn peer_reads(peer: &mut TcpStream) -> &'static str {
    let reading = timeout(Duration::from_millis(50), peer.read_u8());
    match reading.await {
        Err(_) => "nothing yet",
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            "EOF"
        }
        Ok(_) => "something else",
    }
}

async fn show(dropped: &str, peer: &mut TcpStream) {
    println!("{dropped:<26} {}", peer_reads(peer).await);
}

// ANCHOR: halves
async fn drop_halves() -> io::Result<()> {
    let (socket, mut peer) = connection().await?;
    let (_, writer) = socket.into_split(); // Drops the reader.
    show("into_split, (_, writer)", &mut peer).await;
    drop(writer);
    show("into_split, drop(writer)", &mut peer).await;

    let (socket, mut peer) = connection().await?;
    let (mut reader, _) = socket.into_split(); // Drops the writer.
    show("into_split, (reader, _)", &mut peer).await;
    peer.write_all(b"!").await?;
    println!("  still read: {}", char::from(reader.read_u8().await?));

    let (mut socket, mut peer) = connection().await?;
    let _ = socket.split(); // Drops both halves, not the socket.
    show("split, both dropped", &mut peer).await;
    let (reader, writer) = tokio::io::split(socket);
    drop(writer);
    show("io::split, drop(writer)", &mut peer).await;
    drop(reader);
    show("io::split, both dropped", &mut peer).await;
    Ok(())
}
// ANCHOR_END: halves

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    drop_halves().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_owned_write_half_sends_eof_when_it_is_dropped() {
        let (socket, mut peer) = connection().await.expect("loopback");
        let (_, writer) = socket.into_split();
        assert_eq!(peer_reads(&mut peer).await, "nothing yet");
        drop(writer);
        assert_eq!(peer_reads(&mut peer).await, "EOF");

        let (mut socket, mut peer) =
            connection().await.expect("loopback");
        let _ = socket.split();
        assert_eq!(peer_reads(&mut peer).await, "nothing yet");
        let (reader, writer) = tokio::io::split(socket);
        drop(writer);
        assert_eq!(peer_reads(&mut peer).await, "nothing yet");
        drop(reader);
        assert_eq!(peer_reads(&mut peer).await, "EOF");
    }

    #[tokio::test]
    async fn reunited_halves_are_a_socket_again() {
        let (socket, mut peer) = connection().await.expect("loopback");
        let (reader, writer) = socket.into_split();
        let socket = reader.reunite(writer).expect("of one socket");
        assert_eq!(peer_reads(&mut peer).await, "nothing yet");
        drop(socket);
        assert_eq!(peer_reads(&mut peer).await, "EOF");
    }

    #[tokio::test]
    async fn forget_keeps_the_connection_open() {
        let (socket, mut peer) = connection().await.expect("loopback");
        let (_reader, writer) = socket.into_split();
        writer.forget();
        assert_eq!(peer_reads(&mut peer).await, "nothing yet");
    }
}
