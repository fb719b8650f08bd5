//! Wrong: an endless stream of events blocks the shutdown.

// ANCHOR: wrong
use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use futures::{Stream, StreamExt, stream};

/// Sends orders as they arrive.
async fn orders() -> Sse<impl Stream<Item = Result<Event, Infallible>>>
{
    // Wrong: this response is never complete, so the server waits for
    // it forever.
    Sse::new(order_events().map(Ok))
}
// ANCHOR_END: wrong

/// One order, and no others for the rest of the night.
fn order_events() -> impl Stream<Item = Event> {
    let first = Event::default().data("order 7");
    stream::iter([first]).chain(stream::pending())
}

use std::{io, time::Duration};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Stops the server while a client listens. Returns whether it
/// ended.
async fn stop_while_one_listens() -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let shop = Router::new().route("/orders", get(orders));
    let server = tokio::spawn(
        axum::serve(listener, shop)
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future(),
    );
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /orders HTTP/1.1\r\nhost: shop\r\n\r\n";
    client.write_all(request).await?;
    let mut seen = Vec::new();
    while !seen.windows(7).any(|seven| seven == b"order 7") {
        client.read_buf(&mut seen).await?;
    }
    stop.cancel();
    Ok(timeout(PATIENCE, server).await.is_ok())
}

const PATIENCE: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> io::Result<()> {
    match stop_while_one_listens().await? {
        true => println!("the server has ended"),
        false => println!("the server still waits for its client"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_ends_the_stream() -> io::Result<()> {
        // It doesn't.
        assert!(!stop_while_one_listens().await?);
        Ok(())
    }
}
