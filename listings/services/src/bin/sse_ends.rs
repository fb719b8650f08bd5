//! End an event stream at shutdown, and ask clients to reconnect.

// ANCHOR: ends
use std::{convert::Infallible, iter::once_with};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

/// Sends orders as they arrive, until shutdown.
async fn orders(
    State(stop): State<CancellationToken>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = until(stop, order_events());
    // Keep-alive comments detect that a client has disconnected.
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::default())
}

/// If `events` ends by itself, nobody is asked to reconnect.
fn until(
    stop: CancellationToken,
    events: impl Stream<Item = Event>,
) -> impl Stream<Item = Event> {
    // A browser ignores an event without data.
    let last = Event::default().event("end").data("restart");
    let stopped = stop.clone();
    let last =
        move || stopped.is_cancelled().then(|| last.retry(reconnect()));
    events
        .take_until(stop.cancelled_owned())
        .chain(stream::iter(once_with(last).flatten()))
}

/// How long a client waits before it reconnects. If all clients did so
/// at the same moment, they would overload the next server.
fn reconnect() -> Duration {
    Duration::from_millis(fastrand::u64(1000..6000))
}
// ANCHOR_END: ends

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

/// Stops the server while a client listens. Returns the last
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
        .map(|line| match line.strip_prefix("retry: ") {
            Some(_) => "retry: after 1 to 6 seconds",
            None => line,
        })
        .collect::<Vec<_>>()
        .join(", "))
}

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> io::Result<()> {
    println!(
        "the client receives: {}",
        stop_while_one_listens().await?
    );
    println!("the server has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_ends_the_stream() -> io::Result<()> {
        assert_eq!(
            stop_while_one_listens().await?,
            "event: end, data: restart, retry: after 1 to 6 seconds"
        );
        Ok(())
    }

    #[test]
    fn overload_clients_come_back_at_different_moments() {
        let moments: Vec<_> = (0..1000).map(|_| reconnect()).collect();
        let least = moments.iter().min().expect("there are some");
        let most = moments.iter().max().expect("there are some");
        assert!(*least >= Duration::from_secs(1));
        assert!(*most < Duration::from_secs(6));
        assert!(*most - *least > Duration::from_secs(3));
    }

    /// Stopped before: the client is asked to come back immediately.
    #[tokio::test]
    async fn edges_stopped_before_it_connects() {
        let stop = CancellationToken::new();
        stop.cancel();
        let sse = orders(State(stop)).await;
        let body = axum::response::IntoResponse::into_response(sse);
        let body = axum::body::to_bytes(body.into_body(), 1000);
        let body = timeout(PATIENCE, body).await.expect("it ends");
        let text = body.expect("events").to_vec();
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("event: end"), "{text}");
    }

    #[tokio::test]
    async fn edges_of_a_source_that_ends_by_itself() {
        let stop = CancellationToken::new();
        let two = || Event::default().data("order");
        let events = until(stop.clone(), stream::iter([two(), two()]));
        assert_eq!(events.count().await, 2);
        stop.cancel();
        let events = until(stop, stream::iter([two(), two()]));
        assert_eq!(events.count().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_end_the_stream() -> io::Result<()> {
        for _ in 0..10 {
            let seen = stop_while_one_listens().await?;
            assert!(seen.starts_with("event: end"), "{seen}");
        }
        Ok(())
    }
}
