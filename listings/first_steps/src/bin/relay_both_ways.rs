//! Relay bytes in both directions, until nothing moves anymore.

use std::io;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split,
};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

// ANCHOR: relay
/// How long both directions may be silent.
const IDLE: Duration = Duration::from_secs(300);

/// Fails if no piece (of 8 KiB at most) was passed on for five minutes,
/// or if a connection fails.
async fn relay(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let moved = Notify::new();
    let up = one_way(from_client, to_server, &moved);
    let down = one_way(from_server, to_client, &moved);
    let both = async { tokio::try_join!(up, down) };
    let idle = async {
        while timeout(IDLE, moved.notified()).await.is_ok() {}
    };
    tokio::select! {
        biased;
        copied = both => copied.map(|_| ()),
        () = idle => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &Notify,
) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await, // Passes EOF on.
            length => to.write_all(&buffer[..length]).await?,
        }
        to.flush().await?; // The socket may have a buffer.
        moved.notify_one();
    }
}
// ANCHOR_END: relay

use tokio::io::duplex;
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

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{BufStream, DuplexStream, join};

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
        let relaying = within(2 * IDLE, relay(ours, theirs));
        let error = relaying.await.expect_err("the limit is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_while_a_socket_buffers_what_is_written() {
        let (outer, ours) = duplex(64);
        let (theirs, mut server) = duplex(64);
        let server = async {
            // It answers before the client has sent EOF.
            let mut order = [0; 8];
            server.read_exact(&mut order).await.expect("relayed");
            server.write_all(b"ok").await.expect("relayed");
            server.shutdown().await.expect("in memory");
        };
        let client = async {
            let mut client = outer;
            client.write_all(b"order 1\n").await.expect("relayed");
            let mut answer = [0; 2];
            client.read_exact(&mut answer).await.expect("relayed");
            client.shutdown().await.expect("in memory");
        };
        let (ours, theirs) =
            (BufStream::new(ours), BufStream::new(theirs));
        let all =
            async { tokio::join!(relay(ours, theirs), client, server) };
        let (relayed, (), ()) = within(IDLE / 2, all).await;
        relayed.expect("both sides have closed");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_both_is_limited() {
        let relaying = within(HOUR, relay(Silent, Silent));
        let error = relaying.await.expect_err("the limit is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_reader_is_limited() {
        let endless = join(tokio::io::repeat(b'x'), Vec::new());
        let (ours, _theirs) = duplex(64);
        let relaying = within(HOUR, relay(endless, ours));
        let error = relaying.await.expect_err("the limit is over");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_arrive_within_the_limit() {
        let (outcome, answer) = relayed(IDLE * 9 / 10).await;
        outcome.expect("in time");
        assert_eq!(answer, "ok order 1\n");
        let (outcome, answer) = relayed(IDLE * 2).await;
        outcome.expect_err("too late");
        assert_eq!(answer, "");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_transfers_may_take_longer_than_the_limit() {
        let (mut client, ours) = duplex(64);
        let (theirs, server) = duplex(64);
        let serving = async {
            let mut server = Slow::new(server, IDLE * 9 / 10);
            for _ in 0..100 {
                server.write_all(b"x").await.expect("relayed");
            }
            drop(server);
        };
        let receiving = async {
            client.shutdown().await.expect("in memory");
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.expect("relayed");
            received.len()
        };
        let (outcome, (), received) =
            tokio::join!(relay(ours, theirs), serving, receiving);
        outcome.expect("it was never idle for so long");
        assert_eq!(received, 100);
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
        relay(client, server).await.expect("both ends together");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_both_connections() {
        at_every_poll(async |cancel| {
            let (outer, ours) = duplex(4);
            let (theirs, inner) = duplex(4);
            let relaying = async {
                let sides = async {
                    tokio::join!(
                        client(outer),
                        server(inner, IDLE / 2)
                    );
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
