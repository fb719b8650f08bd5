//! Two small writes and an answer, with and without Nagle's algorithm.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

// ANCHOR: round
async fn round(client: &mut TcpStream) -> io::Result<Duration> {
    let start = Instant::now();
    client.write_all(b"head").await?;
    client.write_all(b"body").await?; // A second small packet.
    client.read_exact(&mut [0; 2]).await?;
    Ok(start.elapsed())
}
// ANCHOR_END: round

/// How long five rounds took, after the first two.
async fn rounds(nodelay: bool) -> io::Result<Vec<Duration>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?);
    let (mut client, (mut server, _)) =
        tokio::try_join!(client, listener.accept())?;
    client.set_nodelay(nodelay)?;
    let ask = async {
        let mut rounds = Vec::new();
        for number in 0..7 {
            let took = round(&mut client).await?;
            if number >= 2 {
                rounds.push(took);
            }
        }
        Ok(rounds)
    };
    let answer = async {
        loop {
            // It answers when both pieces have arrived.
            server.read_exact(&mut [0; 8]).await?;
            server.write_all(b"ok").await?;
        }
    };
    tokio::select! {
        biased;
        rounds = ask => rounds,
        failed = answer => failed,
    }
}

// ANCHOR: compare
async fn compare() -> io::Result<()> {
    let delay = Duration::from_millis(40);
    let slowest = rounds(false).await?.into_iter().max();
    println!("by default, 40 ms late: {}", slowest >= Some(delay));
    let fastest = rounds(true).await?.into_iter().min();
    println!("with set_nodelay: {}", fastest >= Some(delay));
    Ok(())
}
// ANCHOR_END: compare

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    compare().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_option_is_off_by_default() {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("lo");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("open");
        let (server, _) = listener.accept().await.expect("open");
        assert!(!client.nodelay().expect("a TCP socket"));
        assert!(!server.nodelay().expect("a TCP socket"));
    }
}
