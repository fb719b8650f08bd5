//! Relay TCP connections, and limit how long a relay may be silent
//! after the first EOF.

use std::{io, net::SocketAddr, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinError, JoinSet},
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

// ANCHOR: relay
/// How long a relay may be silent: while both directions are open, and
/// after one of them has ended.
const IDLE: Duration = Duration::from_secs(3600);
const AFTER_FIRST_END: Duration = Duration::from_secs(30);

/// Passes bytes and EOF on, until both directions have ended or one of
/// the connections fails. Dropping this future closes both connections.
async fn relay(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let moved = Notify::new();
    let mut up = pin!(one_way(from_client, to_server, &moved));
    let mut down = pin!(one_way(from_server, to_client, &moved));
    // Not `biased`: a busy direction would keep the other one waiting.
    tokio::select! {
        ended = &mut up => ended?,
        ended = &mut down => {
            ended?;
            return within(up, &moved).await;
        }
        () = idle(&moved, IDLE) => return Err(io::ErrorKind::TimedOut.into()),
    }
    within(down, &moved).await
}

/// Waits for the second direction for as long as its bytes move.
async fn within(
    second: impl Future<Output = io::Result<()>>,
    moved: &Notify,
) -> io::Result<()> {
    tokio::select! {
        biased;
        ended = second => ended,
        () = idle(moved, AFTER_FIRST_END) => Err(io::ErrorKind::TimedOut.into()),
    }
}
// ANCHOR_END: relay

// ANCHOR: one_way
/// Completes when no byte has moved for `limit`.
async fn idle(moved: &Notify, limit: Duration) {
    while timeout(limit, moved.notified()).await.is_ok() {}
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &Notify,
) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    let mut written = Ok(());
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            written?;
            // Passes EOF on; on TLS, after close_notify.
            return to.shutdown().await;
        }
        // After an error, the rest is read, but not passed on.
        if written.is_ok() {
            written = write(&mut to, &buffer[..length], moved).await;
        }
    }
}

async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    mut rest: &[u8],
    moved: &Notify,
) -> io::Result<()> {
    while !rest.is_empty() {
        if to.write_buf(&mut rest).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        moved.notify_one();
    }
    to.flush().await // A TLS stream has a buffer.
}
// ANCHOR_END: one_way

// ANCHOR: serve
/// Relays at most `places` connections; others wait in the system's
/// queue. When `stop` is canceled, open relays may finish within the
/// grace period. Dropping this future drops them all.
async fn serve(
    listener: TcpListener,
    server: SocketAddr,
    places: usize,
    (stop, grace): (CancellationToken, Duration),
) {
    let mut relays = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = relays.join_next() => report(ended),
            accepted = listener.accept(), if relays.len() < places =>
                match accepted {
                    Ok((client, _)) => {
                        relays.spawn(connect_and_relay(client, server));
                    }
                    Err(error) => {
                        tracing::error!(%error, "accept");
                        // Too many open files?
                        sleep(Duration::from_secs(1)).await;
                    }
                },
        }
    }
    drop(listener);
    let finish = async {
        while let Some(ended) = relays.join_next().await {
            report(ended);
        }
    };
    if timeout(grace, finish).await.is_err() {
        relays.shutdown().await;
    }
}
// ANCHOR_END: serve

// ANCHOR: connect
const CONNECT: Duration = Duration::from_secs(5);

async fn connect_and_relay(
    client: TcpStream,
    server: SocketAddr,
) -> io::Result<()> {
    let connecting = TcpStream::connect(server);
    let server = timeout(CONNECT, connecting).await??;
    // Small pieces could otherwise be delayed, by 40 ms on Linux.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    relay(client, server).await
}

fn report(ended: Result<io::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "relay"),
        Err(error) => tracing::error!(%error, "relay"),
    }
}
// ANCHOR_END: connect

/// Sends an order and EOF, and reads the whole answer.
async fn order(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<String> {
    socket.write_all(b"order 1\n").await?;
    socket.shutdown().await?;
    whole_text(&mut socket).await
}

/// Reads to the end. A text of 1,000 bytes or more is an error, because
/// its end could be missing.
async fn whole_text(
    from: impl AsyncRead + Unpin,
) -> io::Result<String> {
    let mut from = from.take(1000);
    let mut text = String::new();
    from.read_to_string(&mut text).await?;
    if from.limit() == 0 {
        return Err(io::Error::other("the text is too long"));
    }
    Ok(text)
}

/// Answers after it has read to the end.
async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let order = whole_text(&mut socket).await?;
    socket.write_all(format!("ok, {order}").as_bytes()).await?;
    socket.shutdown().await
}

#[tokio::main(flavor = "current_thread")]
async fn through_sockets() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let relayed = listener.local_addr()?;
    let stop = CancellationToken::new();
    let grace = Duration::from_secs(10);
    let serving = serve(
        listener,
        server.local_addr()?,
        100,
        (stop.clone(), grace),
    );
    let talking = async {
        let client = TcpStream::connect(relayed);
        let (client, (accepted, _)) =
            tokio::try_join!(client, server.accept())?;
        let (answer, ()) =
            tokio::try_join!(order(client), answer(accepted))?;
        print!("the client got: {answer}");
        stop.cancel();
        io::Result::Ok(())
    };
    tokio::join!(serving, talking).1
}

use tokio::{io::duplex, time::Instant};

/// The client has sent EOF, and the server never answers.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn silent_server() {
    let start = Instant::now();
    let (client, ours) = duplex(64);
    let (theirs, _server) = duplex(64);
    drop(client);
    if let Err(error) = relay(ours, theirs).await {
        println!(
            "a silent server: {error} after {:?}",
            start.elapsed()
        );
    }
}

fn main() -> io::Result<()> {
    through_sockets()?;
    silent_server();
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{
        Failing, HOUR, Silent, Slow, at_every_poll, no_task_left,
        within as in_time,
    };
    use tokio::io::{join, repeat, sink};

    use super::*;

    /// What the client gets through a relay, from a server that waits
    /// before it answers.
    async fn relayed(pause: Duration) -> (io::Result<()>, String) {
        let (outer, ours) = duplex(4);
        let (theirs, mut inner) = duplex(4);
        let server = async {
            let mut order = Vec::new();
            inner.read_to_end(&mut order).await.expect("relayed");
            sleep(pause).await;
            answer(join(&order[..], inner)).await
        };
        let all = async {
            tokio::join!(relay(ours, theirs), order(outer), server)
        };
        let (relayed, got, _) = in_time(24 * HOUR, all).await;
        (relayed, got.unwrap_or_default())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_after_a_half_close_arrive_whole() {
        let (relayed, got) = relayed(AFTER_FIRST_END * 9 / 10).await;
        relayed.expect("each piece arrives in time");
        assert_eq!(got, "ok, order 1\n");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_renew_the_limit_with_every_byte() {
        let (client, ours) = duplex(64);
        let (theirs, mut server) = duplex(8 * 1024);
        let sending = async {
            server.write_all(&[b'x'; 1000]).await.expect("relayed");
            drop(server);
        };
        let pause = AFTER_FIRST_END * 9 / 10;
        let mut client = Slow::new(client, pause);
        client.shutdown().await.expect("in memory");
        let reading = async {
            let mut got = Vec::new();
            let mut byte = [0; 50];
            loop {
                match client.read(&mut byte).await.expect("relayed") {
                    0 => return got.len(),
                    n => got.extend_from_slice(&byte[..n]),
                }
            }
        };
        let (ended, (), got) =
            tokio::join!(relay(ours, theirs), sending, reading);
        ended.expect("it never stops for too long");
        assert_eq!(got, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_after_the_first_end_is_limited() {
        for client_ends in [true, false] {
            let start = Instant::now();
            let (ends, ours) = duplex(64);
            let (theirs, _stays) = duplex(64);
            drop(ends);
            let ended = if client_ends {
                relay(ours, theirs).await
            } else {
                relay(theirs, ours).await
            };
            let error = ended.expect_err("the other end is silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(start.elapsed(), AFTER_FIRST_END);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_both_is_limited() {
        let ended = in_time(2 * HOUR, relay(Silent, Silent)).await;
        let error = ended.expect_err("nothing moves");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_direction_lets_the_other_finish() {
        // The server reads no more, and answers.
        let (mut client, ours) = duplex(64);
        let server =
            join(&b"too large\n"[..], Failing::after(Vec::new(), 0));
        client.write_all(b"order 1\n").await.expect("in memory");
        let reading = async move {
            // More than the buffers hold: the relay still reads.
            client.write_all(&[b'x'; 100_000]).await.expect("read");
            let mut got = String::new();
            client.read_to_string(&mut got).await.expect("text");
            got
        };
        let (ended, got) = tokio::join!(relay(ours, server), reading);
        let error = ended.expect_err("the server's write half fails");
        assert_eq!(error.to_string(), "disk full");
        assert_eq!(got, "too large\n");
    }

    /// A reset of the server ends the relay without a pause.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_server_reaches_a_waiting_client() {
        let start = Instant::now();
        let (mut client, ours) = duplex(64);
        let server =
            join(Failing::after(&b"half an answer"[..], 1), sink());
        let waiting = async {
            let mut got = Vec::new();
            client.read_to_end(&mut got).await.expect("EOF");
            got
        };
        let (ended, got) = tokio::join!(relay(ours, server), waiting);
        ended.expect_err("the server's read half fails");
        assert_eq!(got, b"half an answer");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_both_connections() {
        at_every_poll(async |cancel| {
            let (outer, ours) = duplex(4);
            let (theirs, inner) = duplex(4);
            let relaying = cancel.run(relay(ours, theirs));
            let all = async {
                let (_, _, _) =
                    tokio::join!(relaying, order(outer), answer(inner));
            };
            in_time(HOUR, all).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_is_sent() {
        let nothing = || join(&b""[..], Vec::new());
        relay(nothing(), nothing()).await.expect("both have ended");
    }

    #[tokio::test]
    async fn edges_half_an_order_or_answer_is_an_error() {
        let longest = "x".repeat(999);
        let got = whole_text(longest.as_bytes()).await;
        assert_eq!(got.expect("it's whole"), longest);
        for bytes in [1000, 1001, 5000] {
            let long = "x".repeat(bytes);
            let server = join(long.as_bytes(), Vec::new());
            let error = order(server).await.expect_err("too long");
            assert_eq!(error.to_string(), "the text is too long");
            let mut sent = Vec::new();
            let client = join(long.as_bytes(), &mut sent);
            let error = answer(client).await.expect_err("too long");
            assert_eq!(error.to_string(), "the text is too long");
            assert!(sent.is_empty(), "half an order is answered");
        }
    }

    struct Running {
        server: TcpListener,
        relay: SocketAddr,
        stop: CancellationToken,
        serving: tokio::task::JoinHandle<()>,
    }

    async fn running(places: usize, grace: Duration) -> Running {
        let server = TcpListener::bind("127.0.0.1:0").await;
        let server = server.expect("loopback");
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback");
        let relay = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        let to = server.local_addr().expect("bound");
        let serving = tokio::spawn(serve(
            listener,
            to,
            places,
            (stop.clone(), grace),
        ));
        Running { server, relay, stop, serving }
    }

    const SECONDS: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn overload_waits_in_the_queue_of_the_system() {
        let it = running(1, SECONDS).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let client = TcpStream::connect(it.relay).await;
            clients.push(client.expect("the system accepts"));
        }
        for client in clients {
            let (socket, _) = it.server.accept().await.expect("one");
            let pause = Duration::from_millis(20);
            let second = timeout(pause, it.server.accept()).await;
            assert!(second.is_err(), "two at a time");
            let (got, answered) =
                tokio::join!(order(client), answer(socket));
            answered.expect("relayed");
            assert_eq!(got.expect("relayed"), "ok, order 1\n");
        }
    }

    #[tokio::test]
    async fn stop_lets_relays_finish_within_the_grace_period() {
        let it = running(10, SECONDS).await;
        let client = TcpStream::connect(it.relay).await;
        let client = client.expect("the system accepts");
        let (socket, _) = it.server.accept().await.expect("one");
        it.stop.cancel();
        let (got, answered) =
            tokio::join!(order(client), answer(socket));
        answered.expect("relayed");
        assert_eq!(got.expect("relayed"), "ok, order 1\n");
        in_time(SECONDS, it.serving).await.expect("no panic");
    }

    #[tokio::test]
    async fn stop_ends_relays_after_the_grace_period() {
        let it = running(10, Duration::from_millis(20)).await;
        let _client = TcpStream::connect(it.relay).await;
        let _silent = it.server.accept().await.expect("one");
        it.stop.cancel();
        in_time(SECONDS, it.serving).await.expect("no panic");
        no_task_left().await;
    }

    #[tokio::test]
    async fn owner_gone_ends_all_relays() {
        let it = running(10, SECONDS).await;
        let _client = TcpStream::connect(it.relay).await;
        let _silent = it.server.accept().await.expect("one");
        it.serving.abort();
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_relay_a_hundred_connections() {
        let it = running(10, SECONDS).await;
        let mut clients = JoinSet::new();
        for _ in 0..100 {
            clients.spawn(async move {
                order(TcpStream::connect(it.relay).await?).await
            });
        }
        let mut servers = JoinSet::new();
        for _ in 0..100 {
            let (socket, _) = it.server.accept().await.expect("one");
            servers.spawn(answer(socket));
        }
        for got in clients.join_all().await {
            assert_eq!(got.expect("relayed"), "ok, order 1\n");
        }
        it.stop.cancel();
        in_time(SECONDS, it.serving).await.expect("no panic");
    }

    /// A direction that never pauses doesn't stop the other one.
    #[tokio::test]
    async fn overload_of_one_direction_does_not_stop_the_other() {
        for upload in [true, false] {
            let (mut gets, to) = duplex(64);
            let (from, mut sends) = duplex(64);
            let floods = join(repeat(b'x'), to);
            let answers = join(from, sink());
            let relaying = tokio::spawn(async move {
                if upload {
                    relay(floods, answers).await
                } else {
                    relay(answers, floods).await
                }
            });
            sends.write_all(b"ok\n").await.expect("room");
            let mut got = [0; 3];
            let getting = gets.read_exact(&mut got);
            in_time(SECONDS / 6, getting).await.expect("relayed");
            assert_eq!(&got, b"ok\n");
            relaying.abort();
        }
    }
}
