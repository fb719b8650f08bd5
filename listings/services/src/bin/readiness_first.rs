//! Report "not ready" first, and close the listener later.

// ANCHOR: stop
use axum::{extract::State, http::StatusCode};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Stop {
    /// The service reports that it isn't ready.
    announced: CancellationToken,
    /// The listener is closed.
    closed: CancellationToken,
}

impl Stop {
    /// Stops in two steps. If dropped in between, it closes the
    /// listener immediately.
    async fn begin(&self) {
        self.announced.cancel();
        let _close = self.closed.clone().drop_guard();
        sleep(UNTIL_THE_BALANCER_KNOWS).await;
    }
}

/// The readiness probe, which the load balancer requests regularly.
async fn ready(State(stop): State<Stop>) -> StatusCode {
    match stop.announced.is_cancelled() {
        false => StatusCode::OK,
        true => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Longer than the load balancer takes to notice and react.
const UNTIL_THE_BALANCER_KNOWS: Duration = Duration::from_millis(300);
// ANCHOR_END: stop

use std::{io, net::SocketAddr};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The status that a request gets, on a connection of its own.
async fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1);
    Ok(status.unwrap_or("no status").to_owned())
}

/// The answers to the load balancer and to a client, before and after.
async fn stop_in_two_steps() -> io::Result<[[String; 2]; 2]> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = Stop::default();
    let routes = Router::new()
        .route("/ready", get(ready))
        .route("/price", get(async || "12 euros"))
        .with_state(stop.clone());
    let closed = stop.closed.clone();
    let server = tokio::spawn(
        axum::serve(listener, routes)
            .with_graceful_shutdown(closed.cancelled_owned())
            .into_future(),
    );
    let asked = async || {
        let ready = ask(address, "/ready").await?;
        io::Result::Ok([ready, ask(address, "/price").await?])
    };
    let before = asked().await?;
    let stopping = tokio::spawn(async move { stop.begin().await });
    tokio::task::yield_now().await;
    let after = asked().await?;
    stopping.await?;
    server.await??;
    Ok([before, after])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let [before, after] = stop_in_two_steps().await?;
    println!("before: ready {}, price {}", before[0], before[1]);
    println!("stopping: ready {}, price {}", after[0], after[1]);
    println!("the server has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_is_announced_before_anyone_is_refused()
    -> io::Result<()> {
        let [before, after] = stop_in_two_steps().await?;
        assert_eq!(before, ["200", "200"]);
        assert_eq!(after, ["503", "200"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_never_leaves_a_server_that_is_not_ready() {
        hazards::at_every_poll(async |cancel| {
            let stop = Stop::default();
            cancel.run(stop.begin()).await;
            let announced = stop.announced.is_cancelled();
            assert_eq!(announced, stop.closed.is_cancelled());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_it_closes_when_the_first_call_says() {
        let stop = Stop::default();
        let start = tokio::time::Instant::now();
        tokio::join!(stop.begin(), stop.begin());
        stop.begin().await;
        assert!(stop.closed.is_cancelled());
        assert_eq!(start.elapsed(), 2 * UNTIL_THE_BALANCER_KNOWS);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_closes_the_listener() {
        let stop = Stop::default();
        let begun = stop.clone();
        let owner = tokio::spawn(async move { begun.begin().await });
        tokio::task::yield_now().await;
        owner.abort();
        hazards::within(hazards::HOUR, stop.closed.cancelled()).await;
        hazards::no_task_left().await;
    }
}
