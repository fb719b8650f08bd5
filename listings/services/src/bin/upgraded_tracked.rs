//! Ask upgraded connections to stop, and wait for them.

// ANCHOR: chat
use axum::{
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[derive(Clone)]
struct Chats {
    stop: CancellationToken,
    open: TaskTracker,
    places: Arc<Semaphore>,
}

type Answer = (StatusCode, [(HeaderName, &'static str); 2]);

/// Turns the connection into a chat.
async fn chat(
    State(chats): State<Chats>,
    request: Request,
) -> Result<Answer, StatusCode> {
    let wanted = request.headers().get(header::UPGRADE);
    if wanted.is_none_or(|protocol| protocol != "chat") {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let Ok(place) = chats.places.try_acquire_owned() else {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    chats.open.spawn(async move {
        let _place = place;
        let upgrade = hyper::upgrade::on(request);
        if let Ok(connection) = upgrade.await {
            talk(TokioIo::new(connection), chats.stop).await;
        }
    });
    let headers =
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "chat")];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers))
}
// ANCHOR_END: chat

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get};
use futures::StreamExt;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
        AsyncWriteExt, BufReader,
    },
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};
use tokio_util::{
    bytes::BytesMut,
    codec::{Decoder, FramedRead, LinesCodec},
};

// ANCHOR: talk
/// Answers each line until the stop, or until the client disconnects or
/// is silent for too long.
async fn talk(
    connection: impl AsyncRead + AsyncWrite,
    stop: CancellationToken,
) {
    let (read, mut write) = tokio::io::split(connection);
    let codec = WholeLines(LinesCodec::new_with_max_length(1024));
    let mut lines = FramedRead::new(read, codec);
    let talked = async {
        say(&mut write, "hello").await?;
        loop {
            let line = timeout(SILENCE, lines.next());
            match stop.run_until_cancelled(line).await {
                Some(Ok(Some(Ok(line)))) => {
                    say(&mut write, &line).await?;
                }
                Some(Ok(Some(Err(error)))) => return Err(error),
                Some(Ok(None)) => return Ok(()),
                // The client was silent, or the token was canceled.
                Some(Err(_)) | None => break,
            }
        }
        say(&mut write, "goodbye").await?;
        timeout(SILENCE, write.shutdown()).await?
    };
    if let Err(error) = talked.await {
        eprintln!("a chat failed: {error}");
    }
}
// ANCHOR_END: talk

/// An incomplete last line is an error, not a line.
struct WholeLines(LinesCodec);

impl Decoder for WholeLines {
    type Item = String;
    type Error = io::Error;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> io::Result<Option<String>> {
        self.0.decode(bytes).map_err(io::Error::other)
    }
}

/// Sends a line; fails if the client doesn't read.
async fn say(
    write: &mut (impl AsyncWrite + Unpin),
    line: &str,
) -> io::Result<()> {
    let line = format!("{line}\n");
    timeout(SILENCE, write.write_all(line.as_bytes())).await?
}

/// How long a client may be silent before the chat ends.
const SILENCE: Duration = Duration::from_secs(60);

// ANCHOR: stop
/// Closes the listener and ends the chats. Returns how many chats are
/// still open when the grace period is over. These chats end with the
/// runtime.
async fn stop_all(
    chats: &Chats,
    mut server: tokio::task::JoinHandle<io::Result<()>>,
    grace: Duration,
) -> io::Result<usize> {
    chats.stop.cancel();
    let ended = async {
        (&mut server).await??;
        chats.open.close();
        chats.open.wait().await;
        io::Result::Ok(())
    };
    if let Ok(ended) = timeout(grace, ended).await {
        ended?;
    }
    server.abort();
    Ok(chats.open.len())
}
// ANCHOR_END: stop

impl Chats {
    fn new(places: usize) -> Self {
        Self {
            stop: CancellationToken::new(),
            open: TaskTracker::new(),
            places: Arc::new(Semaphore::new(places)),
        }
    }
}

fn serve(
    listener: TcpListener,
    chats: &Chats,
) -> tokio::task::JoinHandle<io::Result<()>> {
    let routes = Router::new()
        .route("/chat", get(chat))
        .with_state(chats.clone());
    let server = axum::serve(listener, routes)
        .with_graceful_shutdown(chats.stop.clone().cancelled_owned());
    tokio::spawn(server.into_future())
}

/// A client that asks for a chat.
async fn ask(address: SocketAddr) -> io::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /chat HTTP/1.1\r\nhost: shop\r\n\
        connection: upgrade\r\nupgrade: chat\r\n\r\n";
    client.write_all(request).await?;
    Ok(client)
}

/// Stops the server while a chat is open. Returns what its client
/// receives.
async fn stop_while_one_chats() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let chats = Chats::new(100);
    let server = serve(listener, &chats);
    let mut lines = BufReader::new(ask(address).await?).lines();
    while lines.next_line().await?.is_some_and(|line| line != "hello") {
    }
    stop_all(&chats, server, Duration::from_secs(10)).await?;
    let mut told = String::new();
    lines.get_mut().read_to_string(&mut told).await?;
    Ok(told.trim_end().to_owned())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("the client reads: {}", stop_while_one_chats().await?);
    println!("the server and its chats have ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_ends_the_chat() -> io::Result<()> {
        assert_eq!(stop_while_one_chats().await?, "goodbye");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_end_the_chat() -> io::Result<()> {
        for _ in 0..20 {
            assert_eq!(stop_while_one_chats().await?, "goodbye");
        }
        Ok(())
    }

    /// A chat that ignores the stop, and a server that doesn't end.
    #[tokio::test(start_paused = true)]
    async fn stop_returns_although_a_chat_is_left() -> io::Result<()> {
        let chats = Chats::new(1);
        chats.open.spawn(std::future::pending::<()>());
        let second = Duration::from_secs(1);
        let server = tokio::spawn(async { Ok(()) });
        assert_eq!(stop_all(&chats, server, second).await?, 1);
        let server = tokio::spawn(std::future::pending());
        assert_eq!(stop_all(&chats, server, second).await?, 1);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_chat() {
        let (mut client, server) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        hazards::within(hazards::HOUR, talk(server, stop)).await;
        let mut told = String::new();
        client.read_to_string(&mut told).await.expect("text");
        assert_eq!(told, "hello\ngoodbye\n");
        let stop = CancellationToken::new();
        let silent = talk(hazards::Silent, stop);
        hazards::within(hazards::HOUR, silent).await;
    }

    /// The client doesn't read: the stop doesn't wait for it forever.
    #[tokio::test(start_paused = true)]
    async fn slow_client_does_not_hold_a_chat() {
        let (mut client, server) = tokio::io::duplex(6);
        let stop = CancellationToken::new();
        let chat = tokio::spawn(talk(server, stop.clone()));
        client.write_all(b"tea?\n").await.expect("room");
        stop.cancel();
        hazards::within(hazards::HOUR, chat).await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_to_write_ends_a_chat() {
        let (_client, server) = tokio::io::duplex(64);
        let broken = hazards::Failing::after(server, 0);
        let chat = talk(broken, CancellationToken::new());
        hazards::within(hazards::HOUR, chat).await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_stopped_before_and_a_line_too_long() {
        let (mut client, server) = tokio::io::duplex(4096);
        let stop = CancellationToken::new();
        stop.cancel();
        talk(server, stop).await;
        let mut told = String::new();
        client.read_to_string(&mut told).await.expect("text");
        assert_eq!(told, "hello\ngoodbye\n");
        let (mut client, server) = tokio::io::duplex(4096);
        let line = [b'x'; 2000];
        client.write_all(&line).await.expect("room");
        let chat = talk(server, CancellationToken::new());
        hazards::within(Duration::from_secs(1), chat).await;
    }

    /// A client that disconnects in the middle of a line has sent no
    /// line.
    #[tokio::test(start_paused = true)]
    async fn edges_an_incomplete_last_line_is_no_line() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"tea?\ncof").await.expect("room");
        client.shutdown().await.expect("it's open");
        let chat = talk(server, CancellationToken::new());
        hazards::within(Duration::from_secs(1), chat).await;
        let mut told = String::new();
        client.read_to_string(&mut told).await.expect("text");
        assert_eq!(told, "hello\ntea?\n");
    }

    /// A chat holds its place until it ends.
    #[tokio::test]
    async fn overload_of_chats_is_refused() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let chats = Chats::new(1);
        let server = serve(listener, &chats);
        let first = ask(address).await?;
        let mut lines = BufReader::new(first).lines();
        while lines.next_line().await?.as_deref() != Some("hello") {}
        let mut second = BufReader::new(ask(address).await?).lines();
        let status = second.next_line().await?.expect("an answer");
        assert!(status.contains("503"), "{status}");
        drop(lines);
        let place = chats.places.acquire().await;
        drop(place.expect("it's never closed"));
        let mut third = BufReader::new(ask(address).await?).lines();
        let status = third.next_line().await?.expect("an answer");
        assert!(status.contains("101"), "{status}");
        drop((second, third));
        stop_all(&chats, server, Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Dropped at any poll, the connection is closed.
    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        hazards::at_every_poll(async |cancel| {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(b"tea?\n").await.expect("room");
            let stop = CancellationToken::new();
            cancel.run(talk(server, stop)).await;
            let mut told = String::new();
            client.read_to_string(&mut told).await.expect("closed");
            hazards::no_task_left().await;
        })
        .await;
    }
}
