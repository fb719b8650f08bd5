//! Wrong: a client that only reads never notices that the network is
//! dead.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::{SinkExt, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use turmoil::net::{TcpListener, TcpStream};

// ANCHOR: wrong
use tokio_tungstenite::tungstenite::Message;

async fn show_departures() -> anyhow::Result<()> {
    loop {
        let mut socket = connect().await?;
        socket.send(Message::text("Oslo")).await?;
        // Wrong: when the network is dead, there's neither a message
        // nor an error.
        while let Some(Ok(message)) = socket.next().await {
            note(&format!("{message}"));
        }
        sleep(Duration::from_secs(1)).await;
    }
}
// ANCHOR_END: wrong

/// How often the app has connected.
static CONNECTS: AtomicU32 = AtomicU32::new(0);

async fn connect() -> anyhow::Result<WebSocketStream<TcpStream>> {
    CONNECTS.fetch_add(1, Ordering::Relaxed);
    let stream = TcpStream::connect("station:80").await?;
    Ok(client_async("ws://station/", stream).await?.0)
}

async fn accept() -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        clients.spawn(async {
            let mut socket = accept_async(client).await?;
            socket.next().await;
            socket.send(Message::text("Oslo 12:05")).await?;
            socket.next().await;
            anyhow::Ok(())
        });
    }
}

fn simulate() -> turmoil::Result {
    let mut simulation = turmoil::Builder::new()
        .rng_seed(7)
        .simulation_duration(Duration::from_secs(900))
        .tick_duration(Duration::from_millis(100))
        .build();
    simulation.host("station", accept);
    simulation.client("network", async {
        sleep(Duration::from_secs(15)).await;
        turmoil::hold("app", "station");
        note("the network goes silent");
        sleep(Duration::from_secs(600)).await;
        match CONNECTS.load(Ordering::Relaxed) {
            1 => Err("the app still waits".into()),
            _ => Err("the app has connected again".into()),
        }
    });
    simulation.client("app", async {
        show_departures().await?;
        Ok(())
    });
    simulation.run()
}

/// Prints a line with the time of the simulation.
fn note(line: &str) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    println!("{:>4} s  {line}", now.as_secs());
}

fn main() {
    if let Err(error) = simulate() {
        println!(" 615 s  {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_the_network_is_noticed() {
        let error = simulate().expect_err("it isn't");
        assert_eq!(error.to_string(), "the app still waits");
    }
}
