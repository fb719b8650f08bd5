//! Wrong: a client that has sent half a request blocks the shutdown.

// ANCHOR: wrong
use std::io;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let shop = Router::new().route("/price", get(async || "12 euros"));
    // Wrong: it waits for every open connection, without a time limit.
    axum::serve(listener, shop)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
// ANCHOR_END: wrong

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
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

/// Stops the server while half a request is there. Returns
/// whether it ended.
async fn stop_at_half_a_request() -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, stop.clone()));
    let _half = send(address, "GET /pri").await?;
    // After these answers, the server has read the half request.
    let whole = "GET /price HTTP/1.1\r\nhost: shop\r\n\r\n";
    for _ in 0..2 {
        let mut client = send(address, whole).await?;
        client.read_buf(&mut Vec::new()).await?;
    }
    stop.cancel();
    Ok(timeout(PATIENCE, server).await.is_ok())
}

const PATIENCE: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    match stop_at_half_a_request().await? {
        true => println!("the server has ended"),
        false => println!("the server waits for the other half"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_of_a_client_ends_with_the_grace_period()
    -> io::Result<()> {
        // It doesn't.
        assert!(!stop_at_half_a_request().await?);
        Ok(())
    }
}
