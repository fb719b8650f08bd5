//! What a socket reports when the peer isn't there, or has left.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Two ends of a connection.
async fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

fn show<T>(what: &str, outcome: io::Result<T>) {
    match outcome {
        Ok(_) => println!("{what}: Ok"),
        Err(error) => println!("{what}: {error}"),
    }
}

// ANCHOR: errors
async fn errors() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    drop(listener);
    show("nobody listens", TcpStream::connect(address).await);

    let (mut socket, peer) = connection().await?;
    drop(peer);
    show("first write after the peer left", socket.write(b"1").await);
    show("second write", socket.write(b"2").await);

    let (mut socket, peer) = connection().await?;
    socket.write_all(b"order 1\n").await?;
    drop(peer); // It hasn't read the order.
    show("read", socket.read(&mut [0; 8]).await);
    Ok(())
}
// ANCHOR_END: errors

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    errors().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_write_after_the_end_is_lost_without_an_error() {
        let (mut socket, peer) = connection().await.expect("loopback");
        drop(peer);
        assert!(socket.write(b"1").await.is_ok());
        let error = socket.write(b"2").await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
