//! Retry no earlier than the server asks, and with jitter.

// ANCHOR: ask
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use tokio::time::sleep;

const BUSY: [StatusCode; 2] = [
    StatusCode::TOO_MANY_REQUESTS,   // 429
    StatusCode::SERVICE_UNAVAILABLE, // 503
];

/// The longest wait. If a server asks for more, the caller gets the
/// 429 or 503 as its error.
const LONGEST: Duration = Duration::from_secs(2);

/// Asks until the server has time, at most three times. The client
/// has its own timeouts for each try.
async fn ask(client: &Client, url: &str) -> reqwest::Result<String> {
    for _ in 1..3 {
        let answer = client.get(url).send().await?;
        let wait = retry_after(&answer);
        if !BUSY.contains(&answer.status()) || wait > LONGEST {
            return answer.error_for_status()?.text().await;
        }
        drop(answer); // Don't hold its connection while we wait.
        println!("busy, we wait at least {} s", wait.as_secs());
        // Never earlier, and with jitter, because other clients got
        // the same answer.
        sleep(wait + LONGEST.mul_f64(fastrand::f64() / 4.0)).await;
    }
    client.get(url).send().await?.error_for_status()?.text().await
}

/// In seconds. A date isn't read here, and counts as too long.
fn retry_after(answer: &Response) -> Duration {
    let Some(value) = answer.headers().get(RETRY_AFTER) else {
        return LONGEST;
    };
    let seconds = value.to_str().ok().and_then(|it| it.parse().ok());
    seconds.map_or(Duration::MAX, Duration::from_secs)
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

/// A client that doesn't wait for a silent server.
fn client() -> reqwest::Result<Client> {
    let limit = Duration::from_secs(2);
    Client::builder().no_proxy().timeout(limit).build()
}

const BUSY_TWICE: [&str; 2] = [
    "429 Too Many Requests\r\nRetry-After: 1",
    "503 Service Unavailable\r\nRetry-After: 0",
];

/// A server that has no time for its first requests.
struct Server {
    url: String,
    asked: Arc<AtomicU32>,
    _running: JoinSet<io::Result<()>>,
}

impl Server {
    async fn start(busy: &'static [&'static str]) -> io::Result<Self> {
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
                let busy = busy.get(number as usize).copied();
                let answer = busy.unwrap_or("200 OK");
                let body = if busy.is_some() { "" } else { "4.20" };
                if answer == "silent" {
                    std::future::pending::<()>().await;
                }
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
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>>
{
    let client = client()?;
    let server = Server::start(&BUSY_TWICE).await?;
    println!("the price is {}", ask(&client, &server.url).await?);
    println!("asked: {} times", server.asked.load(Ordering::Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

    #[tokio::test]
    async fn slow_servers_are_given_the_time_they_ask_for() -> Tested {
        let server = Server::start(&BUSY_TWICE).await?;
        let start = Instant::now();
        assert_eq!(ask(&client()?, &server.url).await?, "4.20");
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        Ok(())
    }

    #[tokio::test]
    async fn edges_what_is_too_long_or_unknown_is_not_waited_for()
    -> Tested {
        for busy in [
            &["503 Busy\r\nRetry-After: 3600"][..],
            &["503 Busy\r\nRetry-After: 18446744073709551615"],
            &["503 Busy\r\nRetry-After: Fri, 31 Dec 2055 23:59:59 GMT"],
            &["503 Busy\r\nRetry-After: a while"],
        ] {
            let server = Server::start(busy).await?;
            let start = Instant::now();
            let error = ask(&client()?, &server.url).await;
            let status = error.expect_err("it is busy").status();
            assert_eq!(status, Some(StatusCode::SERVICE_UNAVAILABLE));
            assert!(start.elapsed() < Duration::from_secs(1));
            assert_eq!(server.asked.load(Ordering::Relaxed), 1);
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_for_good_is_the_last_answer() -> Tested {
        let server =
            Server::start(&["429 Busy\r\nRetry-After: 0"; 9]).await?;
        let error = ask(&client()?, &server.url).await;
        let status = error.expect_err("it is busy").status();
        assert_eq!(status, Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        let server = Server::start(&["404 Not Found"]).await?;
        assert!(ask(&client()?, &server.url).await.is_err());
        assert_eq!(server.asked.load(Ordering::Relaxed), 1);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_limit_of_the_client() -> Tested {
        let server = Server::start(&["silent"]).await?;
        let error = ask(&client()?, &server.url).await;
        assert!(error.is_err_and(|error| error.is_timeout()));
        Ok(())
    }
}
