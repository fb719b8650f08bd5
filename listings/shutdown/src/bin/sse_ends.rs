//! A stream of events that ends when the server is told to stop.

// ANCHOR: ends
use std::convert::Infallible;

use axum::{
    extract::State,
    response::sse::{Event, Sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

/// Tells of orders as they come, until the server is told to stop.
async fn orders(
    State(stop): State<CancellationToken>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = Event::default().event("end").retry(RECONNECT);
    let events = order_events()
        .take_until(stop.cancelled_owned())
        .chain(stream::iter([last]));
    Sse::new(events.map(Ok))
}

/// When the client asks again, which another server answers then.
const RECONNECT: Duration = Duration::from_secs(1);
// ANCHOR_END: ends

/// One order, and none for the rest of the night.
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

/// Tells the server to stop while a client listens. Returns the last
/// lines that it sees.
async fn stop_while_one_listens() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let shop = Router::new()
        .route("/orders", get(orders))
        .with_state(stop.clone());
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
    timeout(PATIENCE, server).await???;
    client.read_to_end(&mut seen).await?;
    let text = String::from_utf8_lossy(&seen);
    let fields = text.lines().filter(|line| line.contains(": "));
    Ok(fields
        .skip_while(|line| *line != "event: end")
        .collect::<Vec<_>>()
        .join(", "))
}

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("the listener sees: {}", stop_while_one_listens().await?);
    println!("the server has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_and_says_so() -> io::Result<()> {
        assert_eq!(
            stop_while_one_listens().await?,
            "event: end, retry: 1000"
        );
        Ok(())
    }
}
