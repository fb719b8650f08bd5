//! Timeouts for a client: to connect, between two reads, and in total.

// ANCHOR: client
use std::time::Duration;

use reqwest::Client;

/// A client for the supplier, shared by the whole process. Its limits
/// are this short only to keep the program short.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        // For a machine that is off. It's the shortest limit, because
        // the other two also run while the client connects.
        .connect_timeout(Duration::from_millis(200))
        // For a peer that stalls, before or during its answer.
        .read_timeout(Duration::from_secs(1))
        // For a peer that sends a byte every now and then.
        .timeout(Duration::from_secs(2))
        .no_proxy() // The supplier of this program is on loopback.
        .build()
}
// ANCHOR_END: client

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// Reads a request, sends the beginning of an answer, and then a byte
/// after each pause.
async fn drip(
    client: TcpStream,
    begin: &str,
    pause: Duration,
) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if client.read_line(&mut request).await? == 0 {
            return Ok(()); // The client has disconnected.
        }
    }
    client.write_all(begin.as_bytes()).await?;
    loop {
        sleep(pause).await;
        client.write_all(b".").await?;
    }
}

/// Asks a peer that sends `begin`, and then a byte after every pause.
/// Returns its answer, or why there is none.
async fn ask(
    client: &Client,
    begin: &'static str,
    pause: Duration,
) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut peer = JoinSet::new();
    peer.spawn(async move {
        let (client, _) = listener.accept().await?;
        drip(client, begin, pause).await
    });
    let answer = async { client.get(url).send().await?.text().await };
    Ok(match answer.await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => "timed out".into(),
        Err(error) => error.without_url().to_string(),
    })
}

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::main]
async fn main() -> io::Result<()> {
    let client = client().map_err(io::Error::other)?;
    println!("says nothing: {}", ask(&client, "", DAY).await?);
    println!("says half:    {}", ask(&client, HALF, DAY).await?);
    let drips = Duration::from_millis(50);
    println!("drips:        {}", ask(&client, HALF, drips).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn of(begin: &'static str, pause: Duration) -> String {
        let client = client().expect("a client");
        ask(&client, begin, pause).await.expect("a peer")
    }

    #[tokio::test]
    async fn silence_of_a_peer_ends_the_call() {
        let start = Instant::now();
        assert_eq!(of("", DAY).await, "timed out");
        assert_eq!(of(HALF, DAY).await, "timed out");
        // It was the limit between two bytes, and not the total one.
        assert!(start.elapsed() < Duration::from_secs(2) * 2);
    }

    #[tokio::test]
    async fn slow_bytes_end_at_the_total_limit() {
        let start = Instant::now();
        let drips = Duration::from_millis(50);
        assert_eq!(of(HALF, drips).await, "timed out");
        assert!(start.elapsed() >= Duration::from_millis(1900));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    /// A socket whose queue is full neither accepts nor refuses a
    /// connection, like a machine that is off.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn silence_of_a_machine_ends_at_the_connect_timeout()
    -> io::Result<()> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(0)?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let _queued = TcpStream::connect(address).await?;
        let asked =
            client().map_err(io::Error::other)?.get(&url).send();
        let error = asked.await.expect_err("it can't connect");
        assert!(error.is_connect() && error.is_timeout(), "{error:?}");

        // Without that limit, the error doesn't say that nothing was
        // sent.
        let read = Client::builder()
            .connect_timeout(Duration::from_secs(9))
            .read_timeout(Duration::from_millis(200))
            .no_proxy();
        let asked = read.build().map_err(io::Error::other)?.get(url);
        let error = asked.send().await.expect_err("it can't connect");
        assert!(!error.is_connect() && error.is_timeout(), "{error:?}");
        Ok(())
    }

    #[tokio::test]
    async fn failure_to_connect_is_no_timeout() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        drop(listener);
        let client = client().map_err(io::Error::other)?;
        let refused = client.get(url).send().await;
        assert!(refused.is_err_and(|error| error.is_connect()));
        Ok(())
    }
}
