//! Limits for a client: to connect, between two bytes, for it all.

// ANCHOR: client
use std::time::Duration;

use reqwest::Client;

/// A client for the supplier. Each limit catches what the others let
/// through.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        // A machine that is off: nothing comes back at all.
        .connect_timeout(Duration::from_secs(2))
        // A peer that stalls, before its answer or in the middle.
        .read_timeout(Duration::from_millis(200))
        // One that sends a byte now and then.
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
}
// ANCHOR_END: client

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Reads a request, sends the beginning of an answer, and then nothing
/// more.
async fn stall(client: TcpStream, begin: &str) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if client.read_line(&mut request).await? == 0 {
            return Ok(()); // The client has gone.
        }
    }
    client.write_all(begin.as_bytes()).await?;
    std::future::pending().await
}

/// Why there is no answer of a peer that sends this and stalls.
async fn ask(begin: &'static str) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut peer = JoinSet::new();
    peer.spawn(async move {
        let (client, _) = listener.accept().await?;
        stall(client, begin).await
    });
    let client = client().map_err(io::Error::other)?;
    let answer = async { client.get(url).send().await?.text().await };
    Ok(match answer.await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => "timed out".into(),
        Err(error) => error.without_url().to_string(),
    })
}

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("says nothing: {}", ask("").await?);
    println!("says half:    {}", ask(HALF).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_stalls_is_left() -> io::Result<()> {
        assert_eq!(ask("").await?, "timed out");
        assert_eq!(ask(HALF).await?, "timed out");
        Ok(())
    }
}
