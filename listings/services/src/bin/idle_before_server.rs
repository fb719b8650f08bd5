//! Close idle connections before the server does.

// ANCHOR: client
use std::time::Duration;

use reqwest::Client;

/// How long a connection may be idle before the supplier closes it.
const SERVER_KEEPS: Duration = Duration::from_millis(100);

/// A client that doesn't reuse a connection that the supplier may be
/// about to close.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        // Half of that, because each side uses its own clock.
        .pool_idle_timeout(SERVER_KEEPS / 2)
        .timeout(Duration::from_secs(8))
        .no_proxy() // This program's supplier is on loopback.
        .build()
}
// ANCHOR_END: client

use std::sync::atomic::Ordering;

use supplier::{Idle, Supplier};

async fn order(client: &Client, supplier: &Supplier) -> String {
    let request = client.post(&supplier.url);
    let answer = async { request.send().await?.text().await };
    match answer.await {
        Ok(answer) => answer,
        Err(error) => {
            format!("{:#}", anyhow::Error::from(error.without_url()))
        }
    }
}

/// What two orders return. Between them, the connection is idle, and
/// this happens to it.
async fn order_twice(
    idle: Idle,
) -> anyhow::Result<([String; 2], Supplier)> {
    let (client, supplier) = (client()?, supplier::start().await?);
    let first = order(&client, &supplier).await;
    tokio::time::sleep(SERVER_KEEPS).await;
    supplier.idle.send_replace(idle);
    // Until a close has arrived.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = order(&client, &supplier).await;
    Ok(([first, second], supplier))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    for idle in [Idle::Close, Idle::CloseAsAnOrderArrives] {
        let ([first, second], supplier) = order_twice(idle).await?;
        println!("first order: {first}, second order: {second}");
        let connections = supplier.connections.load(Ordering::Relaxed);
        let orders = supplier.orders.load(Ordering::Relaxed);
        println!("  orders: {orders}, connections: {connections}");
    }
    Ok(())
}

/// A supplier that keeps connections open until it's told to close them.
mod supplier {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::watch,
        task::JoinSet,
    };

    /// What happens to the connections that are idle.
    #[derive(Clone, Copy, PartialEq)]
    pub enum Idle {
        Keep,
        Close,
        /// The close and the next order cross on the network.
        CloseAsAnOrderArrives,
    }

    pub struct Supplier {
        pub url: String,
        pub connections: Arc<AtomicU32>,
        pub orders: Arc<AtomicU32>,
        pub idle: watch::Sender<Idle>,
        _running: JoinSet<()>,
    }

    pub async fn start() -> io::Result<Supplier> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let connections = Arc::new(AtomicU32::new(0));
        let orders = Arc::new(AtomicU32::new(0));
        let (idle, seen) = watch::channel(Idle::Keep);
        let mut running = JoinSet::new();
        let accepted = connections.clone();
        let count = orders.clone();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let mut seen = seen.clone();
                seen.mark_unchanged();
                clients.spawn(serve(client, count.clone(), seen));
            }
        });
        Ok(Supplier {
            url,
            connections,
            orders,
            idle,
            _running: running,
        })
    }

    async fn serve(
        mut client: TcpStream,
        orders: Arc<AtomicU32>,
        mut idle: watch::Receiver<Idle>,
    ) -> io::Result<()> {
        loop {
            let mut closes = false;
            tokio::select! {
                biased;
                Ok(()) = idle.changed() => {
                    match *idle.borrow_and_update() {
                        Idle::Keep => {}
                        Idle::Close => return Ok(()),
                        Idle::CloseAsAnOrderArrives => closes = true,
                    }
                }
                ready = client.readable() => ready?,
            }
            let mut order = Vec::new();
            while !order.ends_with(b"\r\n\r\n") {
                if client.read_buf(&mut order).await? == 0 {
                    return Ok(());
                }
            }
            orders.fetch_add(1, Ordering::Relaxed);
            if closes {
                return Ok(());
            }
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n";
            client.write_all(head).await?;
            client.write_all(b"accepted").await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_an_idle_connection_is_not_met()
    -> anyhow::Result<()> {
        for idle in
            [Idle::Keep, Idle::Close, Idle::CloseAsAnOrderArrives]
        {
            let (answers, supplier) = order_twice(idle).await?;
            assert_eq!(answers, ["accepted", "accepted"]);
            assert_eq!(supplier.orders.load(Ordering::Relaxed), 2);
            assert_eq!(supplier.connections.load(Ordering::Relaxed), 2);
        }
        Ok(())
    }

    /// A connection that's used often enough is used again.
    #[tokio::test]
    async fn again_uses_the_connection_again() -> anyhow::Result<()> {
        let (client, supplier) = (client()?, supplier::start().await?);
        for _ in 0..20 {
            assert_eq!(order(&client, &supplier).await, "accepted");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(supplier.connections.load(Ordering::Relaxed) < 20);
        Ok(())
    }
}
