//! A server is told to stop: it answers what is in flight, and ends.

// ANCHOR: serve
use std::io;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until it is told to stop, and then until the last answer.
async fn serve(
    listener: TcpListener,
    shop: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, shop)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
// ANCHOR_END: serve

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::sleep,
};

/// Sends a request on a connection of its own.
async fn send(
    address: SocketAddr,
    path: &str,
) -> io::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
    client.write_all(request.as_bytes()).await?;
    Ok(client)
}

/// Reads until the answer is there.
async fn until(client: &mut TcpStream, answer: &str) -> io::Result<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(answer.as_bytes()) {
        if client.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// The last line of what comes until the server closes the connection.
async fn rest(client: &mut TcpStream) -> io::Result<String> {
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    Ok(text.lines().last().unwrap_or("nothing").to_owned())
}

/// What each client sees.
struct Seen {
    idle: String,
    in_flight: String,
}

// ANCHOR: clients
async fn stop_under_load() -> io::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let begun = Arc::new(Notify::new());
    let payment = Arc::new(Notify::new());
    let pay = {
        let (begun, payment) = (begun.clone(), payment.clone());
        async move || {
            begun.notify_one();
            payment.notified().await;
            "paid"
        }
    };
    let shop = Router::new()
        .route("/price", get(async || "12 euros"))
        .route("/pay", get(pay));
    let server = tokio::spawn(serve(listener, shop, stop.clone()));

    // One asked before, and keeps its connection; one is being served.
    let mut idle = send(address, "/price").await?;
    until(&mut idle, "12 euros").await?;
    let mut in_flight = send(address, "/pay").await?;
    begun.notified().await;

    stop.cancel();
    let idle = rest(&mut idle).await?;
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    payment.notify_one();
    let in_flight = rest(&mut in_flight).await?;
    server.await??;
    Ok(Seen { idle, in_flight })
}
// ANCHOR_END: clients

#[tokio::main]
async fn main() -> io::Result<()> {
    let seen = stop_under_load().await?;
    println!("idle connection: closed; it got {} more", seen.idle);
    println!("new connection: refused");
    println!("in flight: {}", seen.in_flight);
    println!("the server has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_in_flight_is_answered() -> io::Result<()> {
        let seen = stop_under_load().await?;
        assert_eq!(seen.idle, "nothing");
        assert_eq!(seen.in_flight, "paid");
        Ok(())
    }
}
