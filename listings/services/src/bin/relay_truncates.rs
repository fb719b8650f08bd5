//! Wrong: `select!` over two copies drops the answer when the client
//! has sent its EOF.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, copy, split};

// ANCHOR: wrong
async fn relay(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    // Wrong: the first EOF drops the copy of the other direction.
    tokio::select! {
        biased;
        up = copy(&mut from_client, &mut to_server) => up?,
        down = copy(&mut from_server, &mut to_client) => down?,
    };
    Ok(())
}
// ANCHOR_END: wrong

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Sends an order and EOF, and reads the whole answer.
async fn order(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<String> {
    socket.write_all(b"order 1\n").await?;
    socket.shutdown().await?;
    let mut answer = String::new();
    socket.take(1000).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Answers after it has read to the end.
async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut order = String::new();
    (&mut socket).take(1000).read_to_string(&mut order).await?;
    socket.write_all(format!("ok, {order}").as_bytes()).await?;
    socket.shutdown().await
}

/// What the client gets through a relay.
async fn relayed() -> String {
    let (client, ours) = duplex(64);
    let (theirs, server) = duplex(64);
    let (_, got, _) = tokio::join!(
        relay(ours, theirs),
        order(client),
        answer(server)
    );
    got.unwrap_or_default()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("the client got: {:?}", relayed().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_answers_after_a_half_close_arrive_whole() {
        assert_eq!(relayed().await, ""); // They don't.
    }
}
