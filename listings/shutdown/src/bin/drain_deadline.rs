//! A server that waits for its clients, and not forever.

// ANCHOR: deadline
use std::io;

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Serves until it is told to stop, and then until the last answer, or
/// until the time of grace is over. Returns whether all were answered.
async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<bool> {
    let shop = Router::new().route("/price", get(async || "12 euros"));
    let drained = axum::serve(listener, shop)
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let out_of_time = async {
        stop.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        served = drained.into_future() => served.map(|()| true),
        () = out_of_time => Ok(false),
    }
}

/// Less than what the supervisor grants before it kills.
const GRACE: Duration = Duration::from_millis(300);
// ANCHOR_END: deadline

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends this, on a connection of its own.
async fn send(
    address: SocketAddr,
    text: &str,
) -> io::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    Ok(client)
}

/// Tells the server to stop while half a request is there. Returns
/// whether all were answered.
async fn stop_at_half_a_request() -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, stop.clone()));
    let _half = send(address, "GET /pri").await?;
    // When these are answered, the half one was read.
    let whole = "GET /price HTTP/1.1\r\nhost: shop\r\n\r\n";
    for _ in 0..2 {
        let mut client = send(address, whole).await?;
        client.read_buf(&mut Vec::new()).await?;
    }
    stop.cancel();
    server.await?
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    match stop_at_half_a_request().await? {
        true => println!("the server has ended; all were answered"),
        false => {
            println!("the server has ended; not all were answered")
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_with_half_a_request_there() -> io::Result<()> {
        assert!(!stop_at_half_a_request().await?);
        Ok(())
    }
}
