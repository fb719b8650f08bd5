//! The server said when to come back: wait for that long.

// ANCHOR: ask
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use tokio::time::sleep;

const BUSY: [StatusCode; 2] = [
    StatusCode::TOO_MANY_REQUESTS,   // 429
    StatusCode::SERVICE_UNAVAILABLE, // 503
];

/// Asks until the server has time, three times at most. What it asks
/// for is what it gets, up to a limit: it may ask for an hour.
async fn ask(client: &Client, url: &str) -> reqwest::Result<String> {
    let longest = Duration::from_secs(2);
    for _ in 1..3 {
        let answer = client.get(url).send().await?;
        if !BUSY.contains(&answer.status()) {
            return answer.error_for_status()?.text().await;
        }
        let pause =
            retry_after(&answer).unwrap_or(longest).min(longest);
        println!("told to wait for {} s", pause.as_secs());
        sleep(pause).await;
    }
    client.get(url).send().await?.error_for_status()?.text().await
}

/// The header holds a number of seconds, or a date, which is not read
/// here.
fn retry_after(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}
// ANCHOR_END: ask

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinSet,
};

/// A server that has no time for the first two of its requests.
struct Server {
    url: String,
    asked: Arc<AtomicU32>,
    _running: JoinSet<io::Result<()>>,
}

impl Server {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let mut running = JoinSet::new();
        running.spawn(async move {
            loop {
                let (client, _) = listener.accept().await?;
                let mut client = BufReader::new(client);
                let mut request = String::new();
                while !request.ends_with("\r\n\r\n") {
                    client.read_line(&mut request).await?;
                }
                let number = count.fetch_add(1, Ordering::Relaxed);
                let answer = match number {
                    0 => "429 Too Many Requests\r\nRetry-After: 1",
                    1 => "503 Service Unavailable\r\nRetry-After: 0",
                    _ => "200 OK",
                };
                let body = if number < 2 { "" } else { "4.20" };
                let answer = format!(
                    "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(answer.as_bytes()).await?;
            }
        });
        Ok(Self { url, asked, _running: running })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder().no_proxy().build()?;
    let server = Server::start().await?;
    println!("the price is {}", ask(&client, &server.url).await?);
    println!("asked: {} times", server.asked.load(Ordering::Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn it_waits_as_long_as_it_was_told()
    -> Result<(), Box<dyn std::error::Error>> {
        let client = Client::builder().no_proxy().build()?;
        let server = Server::start().await?;
        let start = Instant::now();
        assert_eq!(ask(&client, &server.url).await?, "4.20");
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        Ok(())
    }
}
