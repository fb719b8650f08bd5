//! Let reqwest retry requests, within a budget.

// ANCHOR: client
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect, retry};

/// Retries reads, and also orders, because each order has an
/// idempotency key. `host` is the supplier's.
fn client(host: &'static str) -> reqwest::Result<Client> {
    let retries = retry::for_host(host)
        .max_retries_per_request(2)
        .max_extra_load(0.2)
        .classify_fn(move |tried| {
            let (method, url) = (tried.method(), tried.uri());
            let is_order = method == "POST" && url.path() == "/orders";
            let is_safe = method.is_idempotent() || is_order;
            // `for_host` alone doesn't prevent the first retry.
            let is_ours = url.host() == Some(host);
            // Without a status, there was no response.
            let failed = tried.status().is_none_or(|status| {
                status == StatusCode::BAD_GATEWAY
                    || status == StatusCode::GATEWAY_TIMEOUT
            });
            if is_safe && is_ours && failed {
                tried.retryable()
            } else {
                tried.success()
            }
        });
    Client::builder()
        .retry(retries)
        // A POST that's redirected may become a GET, and succeed.
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(8)) // For all tries together.
        .no_proxy() // This program's supplier is on loopback.
        .build()
}
// ANCHOR_END: client

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::{Method, RequestBuilder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How a request fails.
#[derive(Clone, Copy)]
enum Failure {
    Closes,
    Silent,
    /// The body breaks off.
    Torn,
    Status(&'static str),
}

/// A supplier that counts its requests. The first few of them fail.
struct Supplier {
    base: String,
    requests: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

impl Supplier {
    async fn start(fails: usize, how: Failure) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(answer(
                    client,
                    count.clone(),
                    fails,
                    how,
                ));
            }
        });
        Ok(Self { base, requests, _running: running })
    }

    /// How many requests it got since the last call.
    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

async fn answer(
    mut client: TcpStream,
    requests: Arc<AtomicUsize>,
    fails: usize,
    how: Failure,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let fails = requests.fetch_add(1, Ordering::Relaxed) < fails;
    let status = match how {
        Failure::Closes if fails => return Ok(()),
        Failure::Silent if fails => std::future::pending().await,
        Failure::Torn if fails => {
            let torn =
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ntea";
            return client.write_all(torn).await;
        }
        Failure::Status(status) if fails => status,
        _ => "200 OK",
    };
    let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
    let answer = format!("HTTP/1.1 {status}\r\n{rest}");
    client.write_all(answer.as_bytes()).await
}

async fn outcome(request: RequestBuilder) -> String {
    match request.send().await {
        Ok(answer) => answer.status().to_string(),
        Err(error) => {
            format!("{:#}", anyhow::Error::from(error.without_url()))
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    for (method, path) in [
        (Method::GET, "/price"),
        (Method::POST, "/orders"),
        (Method::POST, "/mails"),
    ] {
        let client = client("127.0.0.1")?;
        let supplier = Supplier::start(1, Failure::Closes).await?;
        let url = format!("{}{path}", supplier.base);
        let what = format!("{method} {path}");
        let outcome = outcome(client.request(method, url)).await;
        println!("{what}: {} sent", supplier.requests());
        println!("  {outcome}");
    }
    let client = client("127.0.0.1")?;
    let supplier = Supplier::start(1, Failure::Silent).await?;
    let short = Duration::from_millis(50);
    outcome(client.get(&supplier.base).timeout(short)).await;
    println!("a timeout: {} sent", supplier.requests());
    let supplier = Supplier::start(1, Failure::Torn).await?;
    let torn = client.get(&supplier.base).send().await?.bytes().await;
    let body = torn.map_or("error", |_| "ok");
    println!("a torn body: {} sent, {body}", supplier.requests());
    let down = Failure::Status("502 Bad Gateway");
    let supplier = Supplier::start(usize::MAX, down).await?;
    for _ in 0..300 {
        outcome(client.get(&supplier.base)).await;
    }
    let sent = supplier.requests();
    println!("an outage: {sent} sent for 300 requests");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Failure = Failure::Status("502 Bad Gateway");

    /// What is sent if the first answer is lost.
    async fn sent(method: Method, path: &str) -> anyhow::Result<usize> {
        let client = client("127.0.0.1")?;
        let supplier = Supplier::start(1, Failure::Closes).await?;
        let url = format!("{}{path}", supplier.base);
        outcome(client.request(method, url)).await;
        Ok(supplier.requests())
    }

    #[tokio::test]
    async fn again_only_if_it_is_safe() -> anyhow::Result<()> {
        assert_eq!(sent(Method::GET, "/price").await?, 2);
        assert_eq!(sent(Method::PUT, "/price").await?, 2);
        assert_eq!(sent(Method::POST, "/orders").await?, 2);
        assert_eq!(sent(Method::POST, "/mails").await?, 1);
        assert_eq!(sent(Method::PATCH, "/price").await?, 1);
        assert_eq!(sent(Method::PATCH, "/orders").await?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn failure_an_order_that_is_redirected_is_not_accepted()
    -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        let login =
            Failure::Status("303 See Other\r\nLocation: /login");
        let supplier = Supplier::start(1, login).await?;
        let url = format!("{}/orders", supplier.base);
        assert_eq!(outcome(client.post(url)).await, "303 See Other");
        assert_eq!(supplier.requests(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_every_try_is_returned() -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        let supplier = Supplier::start(usize::MAX, DOWN).await?;
        let last = outcome(client.get(&supplier.base)).await;
        assert_eq!(last, "502 Bad Gateway");
        assert_eq!(supplier.requests(), 3);
        for busy in ["503 Busy", "500 Internal Server Error"] {
            let busy = Failure::Status(busy);
            let supplier = Supplier::start(usize::MAX, busy).await?;
            outcome(client.get(&supplier.base)).await;
            assert_eq!(supplier.requests(), 1);
        }
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_failures_spends_the_budget()
    -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        let supplier = Supplier::start(usize::MAX, DOWN).await?;
        for _ in 0..300 {
            outcome(client.get(&supplier.base)).await;
        }
        assert!(supplier.requests() <= 300 + 120);
        Ok(())
    }

    /// Whatever the closure calls a success pays for retries: another
    /// host's answers, and refusals of the supplier that's down.
    #[tokio::test]
    async fn overload_budget_counts_all_successes() -> anyhow::Result<()>
    {
        let client = client("127.0.0.1")?;
        let down = Supplier::start(usize::MAX, DOWN).await?;
        let busy = Failure::Status("503 Service Unavailable");
        let busy = Supplier::start(usize::MAX, busy).await?;
        let other = busy.base.replace("127.0.0.1", "localhost");
        for paying in [&busy.base, &other] {
            for _ in 0..150 {
                outcome(client.get(&down.base)).await;
            }
            down.requests();
            for _ in 0..50 {
                outcome(client.get(paying)).await;
            }
            for _ in 0..20 {
                outcome(client.get(&down.base)).await;
            }
            // Fifty answers pay for ten retries.
            assert!((25..=30).contains(&down.requests()));
        }
        Ok(())
    }

    /// The policy sees the status, but no body.
    #[tokio::test]
    async fn failure_of_a_body_is_not_retried() -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        let supplier = Supplier::start(1, Failure::Torn).await?;
        let answer = client.get(&supplier.base).send().await?;
        assert!(answer.bytes().await.is_err());
        assert_eq!(supplier.requests(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn edges_another_host_and_a_stream() -> anyhow::Result<()> {
        let supplier = Supplier::start(usize::MAX, DOWN).await?;
        outcome(client("other.example")?.get(&supplier.base)).await;
        assert_eq!(supplier.requests(), 1);
        // A stream can't be read a second time.
        let supplier = Supplier::start(1, Failure::Closes).await?;
        let stream = futures::stream::iter([io::Result::Ok("tea")]);
        let body = reqwest::Body::wrap_stream(stream);
        let client = client("127.0.0.1")?;
        let lost = outcome(client.put(&supplier.base).body(body)).await;
        assert!(lost.contains("connection closed"), "{lost}");
        Ok(())
    }

    /// A time limit covers all tries, and doesn't lead to another one.
    #[tokio::test]
    async fn silence_is_not_retried() -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        let silent = Failure::Silent;
        let supplier = Supplier::start(usize::MAX, silent).await?;
        let request = client.get(&supplier.base);
        let short = Duration::from_millis(50);
        let outcome = outcome(request.timeout(short)).await;
        assert!(outcome.contains("timed out"), "{outcome}");
        assert_eq!(supplier.requests(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_stops_the_tries() -> anyhow::Result<()> {
        let client = client("127.0.0.1")?;
        for polls in 0..20 {
            let supplier = Supplier::start(usize::MAX, DOWN).await?;
            let request = outcome(client.get(&supplier.base));
            let mut request = std::pin::pin!(request);
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    _ = &mut request => break,
                    () = tokio::task::yield_now() => {}
                }
            }
            assert!(supplier.requests() <= 3);
        }
        Ok(())
    }
}
