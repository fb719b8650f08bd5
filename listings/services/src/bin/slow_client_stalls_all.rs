//! Wrong: one loop sends to all clients, and waits for one that
//! doesn't read.

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Duration, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

type Socket = WebSocketStream<DuplexStream>;

async fn connection() -> (Socket, Socket) {
    let (client, server) = duplex(256);
    let client = Socket::from_raw_socket(client, Role::Client, None);
    let server = Socket::from_raw_socket(server, Role::Server, None);
    tokio::join!(client, server)
}

// ANCHOR: wrong
async fn publish(clients: &mut [Socket]) -> anyhow::Result<()> {
    for number in 1..=30 {
        sleep(Duration::from_secs(1)).await;
        let board = Message::text(format!("{number:.<200}"));
        for client in &mut *clients {
            // Wrong: it waits for the client that doesn't read.
            client.send(board.clone()).await?;
        }
    }
    Ok(())
}
// ANCHOR_END: wrong

/// How many boards the client gets that reads.
async fn boards_of_the_fast_client() -> usize {
    let (_stuck, to_stuck) = connection().await;
    let (mut fast, to_fast) = connection().await;
    let mut clients = [to_stuck, to_fast];
    let mut boards = 0;
    let read = async {
        while let Some(Ok(_)) = fast.next().await {
            boards += 1;
        }
    };
    let both = async { tokio::join!(publish(&mut clients), read) };
    timeout(Duration::from_secs(3600), both).await.ok();
    boards
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let boards = boards_of_the_fast_client().await;
    println!(
        "after an hour, the fast client has {boards} of 30 boards"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_clients_do_not_delay_the_others() {
        assert_eq!(boards_of_the_fast_client().await, 1); // They do.
    }
}
