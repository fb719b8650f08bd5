//! Send a request again only if that can't do harm.

// ANCHOR: send
use reqwest::{Client, Request, Response, redirect};
use tokio::time::{Duration, sleep};

/// Whether the server may get the request twice.
fn is_repeatable(request: &Request) -> bool {
    request.method().is_idempotent()
        || request.headers().contains_key("idempotency-key")
}

/// Sends a request up to three times, with a client from `client`. If
/// this is dropped, the request may or may not have been executed.
async fn send(
    client: &Client,
    request: Request,
) -> reqwest::Result<Response> {
    let repeatable = is_repeatable(&request);
    for longest in [PAUSE, PAUSE * 2] {
        let Some(copy) = request.try_clone() else {
            break; // The body is a stream, which can be read only once.
        };
        let outcome = client.execute(copy).await;
        let again = match &outcome {
            // Without a connection, nothing was sent.
            Err(error) if error.is_connect() => true,
            Err(error) => repeatable && !error.is_builder(),
            Ok(answer) => {
                repeatable
                    && matches!(answer.status().as_u16(), 502 | 504)
            }
        };
        if !again {
            return outcome;
        }
        sleep(longest.mul_f64(fastrand::f64())).await;
    }
    client.execute(request).await
}
// ANCHOR_END: send

const PAUSE: Duration = Duration::from_millis(50);

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What happened at the supplier.
#[derive(Default)]
struct Orders {
    received: AtomicUsize,
    executed: AtomicUsize,
    keys: Mutex<HashSet<String>>,
}

/// A supplier that executes orders, and loses its first answers.
struct Supplier {
    url: String,
    orders: Arc<Orders>,
    _running: JoinSet<()>,
}

impl Supplier {
    async fn start(lost: usize) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let orders = Arc::new(Orders::default());
        let count = orders.clone();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(execute(client, count.clone(), lost));
            }
        });
        Ok(Self { url, orders, _running: running })
    }

    /// How many orders were received, and how many were executed.
    fn counts(&self) -> (usize, usize) {
        let Orders { received, executed, .. } = &*self.orders;
        let received = received.load(Ordering::Relaxed);
        (received, executed.load(Ordering::Relaxed))
    }
}

async fn execute(
    mut client: TcpStream,
    orders: Arc<Orders>,
    lost: usize,
) -> io::Result<()> {
    let mut order = Vec::new();
    while !order.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut order).await? == 0 {
            return Ok(());
        }
    }
    let order = String::from_utf8_lossy(&order);
    let mut headers = order.lines();
    let key =
        headers.find_map(|line| line.strip_prefix("idempotency-key: "));
    let is_new = key.is_none_or(|key| {
        let mut keys = orders.keys.lock().expect("no panic");
        keys.insert(key.to_owned())
    });
    if is_new {
        orders.executed.fetch_add(1, Ordering::Relaxed);
    }
    if orders.received.fetch_add(1, Ordering::Relaxed) < lost {
        return Ok(());
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    client.write_all(answer).await
}

// ANCHOR: client
/// It follows no redirects: if one failed to connect, `is_connect`
/// would be true, although the first server has read the request.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(8))
        .redirect(redirect::Policy::none())
        .no_proxy() // This program's supplier is on loopback.
        .build()
}
// ANCHOR_END: client

fn outcome(sent: reqwest::Result<Response>) -> String {
    match sent {
        Ok(answer) => answer.status().to_string(),
        Err(error) if error.is_connect() => "no connection".into(),
        Err(_) => "unknown outcome".into(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let client = client()?;
    for (what, key) in [("no key", None), ("a key", Some("order-7"))] {
        let supplier = Supplier::start(1).await?;
        let mut order = client.post(&supplier.url);
        if let Some(key) = key {
            order = order.header("idempotency-key", key);
        }
        let outcome = outcome(send(&client, order.build()?).await);
        let (received, executed) = supplier.counts();
        print!("POST with {what}: {outcome}, ");
        println!("received {received}, executed {executed}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_executes_an_order_once() -> anyhow::Result<()> {
        let client = client()?;
        let supplier = Supplier::start(1).await?;
        let order = client.post(&supplier.url).build()?;
        assert!(send(&client, order).await.is_err());
        assert_eq!(supplier.counts(), (1, 1));
        let supplier = Supplier::start(2).await?;
        let order = client.post(&supplier.url);
        let order = order.header("idempotency-key", "order-7");
        let answer = send(&client, order.build()?).await?;
        assert_eq!(answer.status(), 200);
        assert_eq!(supplier.counts(), (3, 1));
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_every_try_is_returned() -> anyhow::Result<()> {
        let client = client()?;
        let supplier = Supplier::start(9).await?;
        let read = client.get(&supplier.url).build()?;
        assert!(send(&client, read).await.is_err());
        assert_eq!(supplier.counts().0, 3);
        // Nothing was sent, so an order is safe to send again.
        let url = supplier.url.clone();
        drop(supplier);
        sleep(Duration::from_millis(5)).await;
        let order = client.post(url).build()?;
        let error = send(&client, order).await.expect_err("refused");
        assert!(error.is_connect());
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_stream_is_sent_once() -> anyhow::Result<()> {
        let client = client()?;
        let supplier = Supplier::start(9).await?;
        let stream = futures::stream::iter([io::Result::Ok("")]);
        let body = reqwest::Body::wrap_stream(stream);
        let put = client.put(&supplier.url).body(body).build()?;
        assert!(send(&client, put).await.is_err());
        assert_eq!(supplier.counts().0, 1);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_limit_of_each_try()
    -> anyhow::Result<()> {
        let client = client()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let short = Duration::from_millis(50);
        let read = client.get(url).timeout(short).build()?;
        let error = send(&client, read).await.expect_err("silent");
        assert!(error.is_timeout());
        Ok(())
    }

    /// Dropped after any time, at most three requests were sent.
    #[tokio::test]
    async fn cancel_sends_nothing_later() -> anyhow::Result<()> {
        let client = client()?;
        for after in [0, 1, 5, 20, 60] {
            let supplier = Supplier::start(9).await?;
            let read = client.get(&supplier.url).build()?;
            let after = Duration::from_millis(after);
            let sending = send(&client, read);
            let _ = tokio::time::timeout(after, sending).await;
            sleep(Duration::from_millis(5)).await;
            let received = supplier.counts().0;
            sleep(PAUSE * 3).await;
            assert_eq!(supplier.counts().0, received);
        }
        Ok(())
    }

    /// The order was executed, and only its redirect fails.
    #[tokio::test]
    async fn again_not_after_a_redirect() -> anyhow::Result<()> {
        let client = client()?;
        let closed = TcpListener::bind("127.0.0.1:0").await?;
        let to = closed.local_addr()?;
        drop(closed);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let orders = Arc::new(AtomicUsize::new(0));
        let count = orders.clone();
        let mut running = JoinSet::new();
        running.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut order = Vec::new();
                client.read_buf(&mut order).await?;
                count.fetch_add(1, Ordering::Relaxed);
                let answer = format!(
                    "HTTP/1.1 303 See Other\r\nLocation: \
                     http://{to}/\r\nContent-Length: 0\r\n\r\n"
                );
                client.write_all(answer.as_bytes()).await?;
            }
            io::Result::Ok(())
        });
        let order = client.post(url).build()?;
        let answer = send(&client, order).await?;
        assert_eq!(answer.status(), 303);
        assert_eq!(orders.load(Ordering::Relaxed), 1);
        Ok(())
    }
}
