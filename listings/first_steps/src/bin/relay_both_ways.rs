//! Relay bytes in both directions, with a limit after the first EOF.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::{Duration, timeout};

// ANCHOR: relay
/// How long a direction may continue after the other one has ended.
const LINGER: Duration = Duration::from_secs(30);
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(3600);

/// Copies in both directions, and closes both connections.
///
/// # Errors
///
/// A limit is over, or a connection fails. Then the other direction is
/// cut off, and also if this future is dropped.
async fn relay(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let up = one_way(from_client, to_server);
    let down = one_way(from_server, to_client);
    let both = async {
        tokio::pin!(up, down);
        tokio::select! {
            biased;
            ended = &mut up => {
                ended?;
                timeout(LINGER, down).await?
            }
            ended = &mut down => {
                ended?;
                timeout(LINGER, up).await?
            }
        }
    };
    timeout(LONGEST, both).await?
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    copy(&mut from, &mut to).await?;
    to.shutdown().await // Passes EOF on.
}
// ANCHOR_END: relay

// ANCHOR: main
use tokio::io::{AsyncReadExt, duplex};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    let (mut client, ours) = duplex(64);
    let (theirs, mut server) = duplex(64);
    let relaying = relay(ours, theirs);
    let talking = async {
        client.write_all(b"order 1\n").await?;
        client.shutdown().await?;
        let mut order = String::new();
        server.read_to_string(&mut order).await?;
        print!("the server got {order}");
        // The server never answers, and never closes.
        io::Result::Ok(())
    };
    let (relayed, talked) = tokio::join!(relaying, talking);
    talked?;
    if let Err(error) = relayed {
        println!("after {:?}: {error}", start.elapsed());
    }
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{DuplexStream, join};

    use super::*;

    /// Sends an order, ends, and returns the answer.
    async fn client(mut socket: DuplexStream) -> String {
        socket.write_all(b"order 1\n").await.expect("relayed");
        socket.shutdown().await.expect("in memory");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("text");
        answer
    }

    /// Answers after it has read to the end.
    async fn server(mut socket: DuplexStream, pause: Duration) {
        let mut order = String::new();
        socket.read_to_string(&mut order).await.expect("text");
        tokio::time::sleep(pause).await;
        let answer = format!("ok {order}");
        socket.write_all(answer.as_bytes()).await.ok();
        socket.shutdown().await.ok();
    }

    async fn relayed(pause: Duration) -> (io::Result<()>, String) {
        let (outer, ours) = duplex(4);
        let (theirs, inner) = duplex(4);
        let relaying = relay(ours, theirs);
        let (client, server) = (client(outer), server(inner, pause));
        let (relayed, answer, ()) =
            tokio::join!(relaying, client, server);
        (relayed, answer)
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_after_the_client_has_left() {
        let (client, ours) = duplex(64);
        let (theirs, _server) = duplex(64);
        drop(client);
        let relaying = within(2 * LINGER, relay(ours, theirs));
        let error = relaying.await.expect_err("the limit is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_both_is_limited() {
        let relaying = within(2 * HOUR, relay(Silent, Silent));
        let error = relaying.await.expect_err("the limit is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_arrive_within_the_limit() {
        let (relayed, answer) = relayed(LINGER / 2).await;
        relayed.expect("in time");
        assert_eq!(answer, "ok order 1\n");
        let (relayed, answer) = super::tests::relayed(LINGER * 2).await;
        relayed.expect_err("too late");
        assert_eq!(answer, "");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_slow_the_sender_down() {
        let (mut client, ours) = duplex(64);
        let (theirs, inner) = duplex(64);
        let mut inner = Slow::new(inner, LINGER / 1_000);
        let relaying = relay(ours, theirs);
        let sending = async {
            client.write_all(&[b'x'; 100_000]).await.expect("relayed");
            drop(client);
        };
        let receiving = async {
            let mut received = Vec::new();
            inner.read_to_end(&mut received).await.expect("relayed");
            drop(inner);
            received.len()
        };
        let (relayed, (), received) =
            tokio::join!(relaying, sending, receiving);
        relayed.ok();
        assert_eq!(received, 100_000);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_either_side_is_returned() {
        for good in 0..2 {
            let client = join(&b"order"[..], Vec::new());
            let server = join(Silent, Failing::after(Vec::new(), good));
            let error = relay(client, server).await;
            let error = error.expect_err("writing fails");
            assert_eq!(error.to_string(), "disk full");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_is_sent() {
        let client = join(&b""[..], Vec::new());
        let server = join(&b""[..], Vec::new());
        relay(client, server).await.expect("both ends at once");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_both_connections() {
        at_every_poll(async |cancel| {
            let (outer, ours) = duplex(4);
            let (theirs, inner) = duplex(4);
            let relaying = async {
                let sides = async {
                    tokio::join!(client(outer), server(inner, LINGER));
                };
                tokio::select! {
                    relayed = relay(ours, theirs) => relayed.is_ok(),
                    () = sides => true,
                }
            };
            cancel.run(relaying).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_relay_a_hundred_connections() {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            tasks.spawn(relayed(Duration::ZERO));
        }
        for (relayed, answer) in tasks.join_all().await {
            relayed.expect("both sides have closed");
            assert_eq!(answer, "ok order 1\n");
        }
    }
}
