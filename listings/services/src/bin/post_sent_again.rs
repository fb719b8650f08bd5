//! Wrong: every failed request is sent again, even an order.

// ANCHOR: wrong
use reqwest::{Client, Request, Response};
use tokio::time::{Duration, sleep};

async fn send(
    client: &Client,
    request: Request,
) -> reqwest::Result<Response> {
    for longest in [PAUSE, PAUSE * 2] {
        let Some(copy) = request.try_clone() else { break };
        match client.execute(copy).await {
            Ok(answer) => return Ok(answer),
            // Wrong: the server may have executed the request.
            Err(_) => sleep(longest.mul_f64(fastrand::f64())).await,
        }
    }
    client.execute(request).await
}
// ANCHOR_END: wrong

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

fn client() -> reqwest::Result<Client> {
    let limit = Duration::from_secs(8);
    Client::builder().no_proxy().timeout(limit).build()
}

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
    let supplier = Supplier::start(1).await?;
    let order = client.post(&supplier.url).build()?;
    let outcome = outcome(send(&client, order).await);
    let (received, executed) = supplier.counts();
    print!("POST without a key: {outcome}, ");
    println!("received {received}, executed {executed}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_executes_an_order_once() -> anyhow::Result<()> {
        // Twice.
        let client = client()?;
        let supplier = Supplier::start(1).await?;
        let order = client.post(&supplier.url).build()?;
        assert!(send(&client, order).await.is_ok());
        assert_eq!(supplier.counts(), (2, 2));
        Ok(())
    }
}
