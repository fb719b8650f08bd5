//! Keep a WebSocket connected: answer pings, notice a dead network,
//! reconnect, and load the state again.

use std::{collections::BTreeMap, pin::pin};

use anyhow::Context;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::coop::consume_budget,
    time::{Duration, Instant, interval, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

/// What the application shows: the departures, and whether they're up
/// to date.
#[derive(Clone, Debug, Default, PartialEq)]
struct Board {
    live: bool,
    departures: String,
}

// ANCHOR: session
const PING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(25);
const WRITE: Duration = Duration::from_secs(5);

/// Talks over one connection. Returns `Ok` when the sender of
/// `station` has been dropped, and an error when the connection is
/// lost or silent. Dropping this future drops the connection.
async fn session(
    socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    station: &mut watch::Receiver<String>,
    board: &watch::Sender<Board>,
) -> anyhow::Result<()> {
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, board));
    tokio::select! {
        ended = &mut reading => return ended,
        ended = write(sink, station) => ended?,
    }
    // Until the server has answered the close frame.
    timeout(WRITE, reading).await.ok();
    Ok(())
}

async fn read(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    board: &watch::Sender<Board>,
) -> anyhow::Result<()> {
    loop {
        consume_budget().await; // Many messages may be buffered.
        let message = timeout(SILENCE, stream.next()).await;
        let message = message.context("the server is silent")?;
        let message = message.context("the server has closed")??;
        // Reading on also answers pings and a close frame.
        if let Message::Text(text) = message {
            let departures = text.as_str().to_owned();
            board.send_replace(Board { live: true, departures });
        }
    }
}
// ANCHOR_END: session

// ANCHOR: write
/// Sends pings, and the station whenever it changes.
async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    station: &mut watch::Receiver<String>,
) -> anyhow::Result<()> {
    let mut ping = interval(PING);
    station.mark_changed(); // Each connection sends it again.
    loop {
        let message = tokio::select! {
            biased;
            changed = station.changed() => match changed {
                Ok(()) => {
                    let name = station.borrow_and_update().clone();
                    Message::text(name)
                }
                Err(_) => return Ok(timeout(WRITE, sink.close()).await??),
            },
            _ = ping.tick() => Message::Ping("".into()),
        };
        let sending = timeout(WRITE, sink.send(message)).await;
        sending.context("the server doesn't read")??;
    }
}
// ANCHOR_END: write

// ANCHOR: connected
const CONNECT: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Connects again whenever the connection is lost, until the sender
/// of `station` is dropped. Dropping this future drops the connection.
async fn keep_connected<S: AsyncRead + AsyncWrite + Unpin>(
    connect: impl AsyncFn() -> anyhow::Result<WebSocketStream<S>>,
    mut station: watch::Receiver<String>,
    board: watch::Sender<Board>,
    mut random: fastrand::Rng,
) {
    let mut longest = FIRST;
    while station.has_changed().is_ok() {
        let start = Instant::now();
        let outcome = match timeout(CONNECT, connect()).await {
            Ok(Ok(socket)) => {
                session(socket, &mut station, &board).await
            }
            Ok(Err(error)) => Err(error),
            Err(elapsed) => Err(elapsed).context("connect"),
        };
        board.send_if_modified(|it| std::mem::take(&mut it.live));
        let Err(error) = outcome else { break };
        if start.elapsed() > LONGEST {
            longest = FIRST; // The connection has worked for a while.
        }
        let pause = longest.mul_f64(random.f64()); // Full jitter.
        note(&format!("{error:#}; next try after {pause:.1?}"));
        tokio::select! {
            biased;
            () = sleep(pause) => {}
            _ = station.wait_for(|_| false) => {} // Sender dropped.
        }
        longest = LONGEST.min(longest * 2);
    }
}
// ANCHOR_END: connected

use tokio_tungstenite::{accept_async, client_async};
use turmoil::net::{TcpListener, TcpStream};

async fn connect() -> anyhow::Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect("station:80").await?;
    let (socket, _) = client_async("ws://station/", stream).await?;
    Ok(socket)
}

/// Sends a station's departures when a client asks for them, and when
/// they change.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut departures: watch::Receiver<BTreeMap<String, String>>,
) -> anyhow::Result<()> {
    let mut socket = accept_async(stream).await?;
    let mut station = String::new();
    loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Text(name))) => {
                    station = name.as_str().to_owned();
                    departures.mark_changed();
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            changed = departures.changed() => {
                changed?;
                let text = departures
                    .borrow_and_update()
                    .get(&station)
                    .cloned();
                if let Some(text) = text {
                    socket.send(Message::text(text)).await?;
                }
            }
        }
    }
}

// ANCHOR: simulate
fn simulate() -> turmoil::Result {
    let (departures, served) = watch::channel(departures());
    let mut simulation = turmoil::Builder::new()
        .rng_seed(7)
        .simulation_duration(Duration::from_secs(600))
        .tick_duration(Duration::from_millis(100))
        .build();
    simulation.host("station", move || accept(served.clone()));
    simulation.client("app", async {
        let (choose, station) = watch::channel("Oslo".to_owned());
        let (board, mut shown) = watch::channel(Board::default());
        let random = fastrand::Rng::with_seed(7);
        let connected = keep_connected(connect, station, board, random);
        let show = async {
            while shown.changed().await.is_ok() {
                let now = shown.borrow_and_update().clone();
                note(&format!(
                    "{:?}, live: {}",
                    now.departures, now.live
                ));
            }
        };
        let user = async move {
            sleep(Duration::from_secs(15)).await;
            turmoil::hold("app", "station");
            note("the network goes silent");
            choose.send_replace("Rome".to_owned());
            sleep(Duration::from_secs(60)).await;
            turmoil::release("app", "station");
            note("the network is back");
            sleep(Duration::from_secs(30)).await;
            drop((choose, departures));
        };
        tokio::join!(connected, show, user);
        Ok(())
    });
    simulation.run()
}
// ANCHOR_END: simulate

fn departures() -> BTreeMap<String, String> {
    let departures = [("Oslo", "Oslo 12:05"), ("Rome", "Rome 12:40")];
    departures.map(|(a, b)| (a.to_owned(), b.to_owned())).into()
}

async fn accept(
    departures: watch::Receiver<BTreeMap<String, String>>,
) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        clients.spawn(serve(client, departures.clone()));
    }
}

/// Prints a line with the time of the simulation.
fn note(line: &str) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    println!("{:>3} s  {line}", now.as_secs());
}

fn main() {
    if let Err(error) = simulate() {
        println!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, Silent, at_every_poll, within};
    use tokio::io::{
        AsyncReadExt, AsyncWriteExt, DuplexStream, duplex,
    };
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    type Socket = WebSocketStream<DuplexStream>;

    async fn connection(buffer: usize) -> (Socket, Socket) {
        let (client, server) = duplex(buffer);
        let client =
            Socket::from_raw_socket(client, Role::Client, None);
        let server =
            Socket::from_raw_socket(server, Role::Server, None);
        tokio::join!(client, server)
    }

    /// Sends a board, then a text that isn't one, and waits.
    async fn station(mut socket: Socket) -> Vec<Message> {
        let mut seen = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                let board = Message::text("Oslo 12:05");
                socket.send(board).await.ok();
            }
            seen.push(message);
        }
        seen
    }

    fn chosen() -> (watch::Sender<String>, watch::Receiver<String>) {
        watch::channel("Oslo".to_owned())
    }

    #[test]
    fn silence_of_the_network_is_noticed() {
        simulate().expect("and the app ends when it's dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_ends_the_session() {
        let (_choose, mut station) = chosen();
        let (board, _) = watch::channel(Board::default());
        // It accepts all writes, and says nothing.
        let socket = tokio::io::join(Silent, tokio::io::sink());
        let socket = WebSocketStream::from_raw_socket(
            socket,
            Role::Client,
            None,
        );
        let talking = session(socket.await, &mut station, &board);
        let error = within(HOUR, talking).await.expect_err("silence");
        assert_eq!(error.to_string(), "the server is silent");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_pings_are_answered() {
        let (_choose, mut station) = chosen();
        let (board, _) = watch::channel(Board::default());
        let (client, mut server) = connection(1024).await;
        let pong = async {
            server.send(Message::Ping("".into())).await.expect("room");
            loop {
                match server.next().await.expect("open") {
                    Ok(Message::Pong(_)) => break,
                    message => drop(message.expect("open")),
                }
            }
        };
        tokio::select! {
            ended = session(client, &mut station, &board) => {
                ended.expect("the server is there");
            }
            () = within(Duration::from_secs(90), pong) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_servers_that_do_not_read_end_the_session() {
        let (_choose, mut station) = chosen();
        let (board, _) = watch::channel(Board::default());
        let (client, _server) = connection(4).await;
        let talking = session(client, &mut station, &board);
        let error = within(HOUR, talking).await.expect_err("no room");
        assert_eq!(error.to_string(), "the server doesn't read");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_every_connection_is_retried_with_pauses() {
        let (choose, station) = chosen();
        let (board, shown) = watch::channel(Board::default());
        let tries = std::cell::Cell::new(0);
        let connect = async || -> anyhow::Result<Socket> {
            tries.set(tries.get() + 1);
            anyhow::bail!("connection refused")
        };
        let random = fastrand::Rng::with_seed(1);
        let keep = keep_connected(connect, station, board, random);
        let owner = async {
            sleep(HOUR).await;
            drop(choose);
        };
        tokio::join!(within(2 * HOUR, keep), owner);
        assert!((60..300).contains(&tries.get()), "{}", tries.get());
        assert!(!shown.borrow().live);
    }

    #[tokio::test(start_paused = true)]
    async fn again_each_connection_sends_the_station() {
        let (choose, station_name) = chosen();
        let (board, mut shown) = watch::channel(Board::default());
        let (sockets, accepted) = tokio::sync::mpsc::channel(8);
        let connect = async || {
            let (client, server) = connection(1024).await;
            sockets.send(server).await?;
            Ok(client)
        };
        let mut accepted = accepted;
        let random = fastrand::Rng::with_seed(1);
        let keep = keep_connected(connect, station_name, board, random);
        let server = async {
            for _ in 0..3 {
                let mut server = accepted.recv().await.expect("again");
                let first = server.next().await.expect("open");
                assert_eq!(
                    first.expect("a text"),
                    Message::text("Oslo")
                );
                let board = Message::text("Oslo 12:05");
                server.send(board).await.expect("open");
                shown.wait_for(|it| it.live).await.expect("shown");
                drop(server); // Without a closing handshake.
                shown.wait_for(|it| !it.live).await.expect("stale");
            }
            drop(choose);
        };
        tokio::join!(within(HOUR, keep), server);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_sends_a_close_frame() {
        let (choose, mut name) = chosen();
        let (board, _) = watch::channel(Board::default());
        let (client, server) = connection(1024).await;
        let owner = async {
            sleep(Duration::from_secs(1)).await;
            drop(choose);
        };
        let talking =
            async { session(client, &mut name, &board).await };
        let (ended, seen, ()) =
            tokio::join!(talking, station(server), owner);
        ended.expect("it was asked to end");
        assert!(seen.last().expect("some").is_close(), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_connection() {
        at_every_poll(async |cancel| {
            let (choose, mut name) = chosen();
            let (board, _) = watch::channel(Board::default());
            let (client, server) = connection(8).await;
            let owner = async {
                sleep(Duration::from_secs(15)).await;
                drop(choose);
            };
            let talking = async {
                cancel.run(session(client, &mut name, &board)).await
            };
            let all =
                async { tokio::join!(talking, station(server), owner) };
            within(HOUR, all).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_other_messages_and_an_empty_name() {
        let (choose, mut name) = watch::channel(String::new());
        let (board, shown) = watch::channel(Board::default());
        let (client, mut server) = connection(1024).await;
        let send = async {
            for message in [
                Message::Binary("x".into()),
                Message::Pong("".into()),
                Message::text(""),
            ] {
                server.send(message).await.expect("open");
            }
            sleep(Duration::from_secs(1)).await;
            drop(choose);
        };
        let talking = session(client, &mut name, &board);
        let (ended, ()) = tokio::join!(talking, send);
        ended.expect("it was asked to end");
        assert!(shown.borrow().live);
        assert_eq!(shown.borrow().departures, "");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_the_server_is_answered() {
        let (_choose, mut station) = chosen();
        let (board, _) = watch::channel(Board::default());
        let (client, mut server) = connection(1024).await;
        let close = async move {
            server.close(None).await.expect("open");
            while let Some(message) = server.next().await {
                message.expect("a closing handshake");
            }
        };
        let talking = session(client, &mut station, &board);
        let both = async { tokio::join!(talking, close).0 };
        let error = within(HOUR, both).await.expect_err("to reconnect");
        assert_eq!(error.to_string(), "the server has closed");
    }

    /// A server that never pauses still gets the station and pings.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn overload_of_messages_does_not_stop_writing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.await.expect("loopback");
        let to = listener.local_addr().expect("bound");
        let client = tokio::net::TcpStream::connect(to).await;
        let (server, _) = listener.accept().await.expect("a client");
        let (mut sent, mut floods) = server.into_split();
        let flood = tokio::spawn(async move {
            let boards = [0x81, 1, b'a'].repeat(20_000);
            while floods.write_all(&boards).await.is_ok() {}
        });
        sleep(Duration::from_millis(50)).await; // The buffers fill.
        let client = client.expect("connected");
        let client = WebSocketStream::from_raw_socket(
            client,
            Role::Client,
            None,
        );
        let client = client.await;
        let (_choose, mut station) = chosen();
        let (board, _) = watch::channel(Board::default());
        let talking = tokio::spawn(async move {
            session(client, &mut station, &board).await
        });
        let limit = Duration::from_secs(30);
        let first = timeout(limit, sent.read_u8()).await;
        first.expect("written while it reads").expect("open");
        talking.abort();
        flood.abort();
    }

    /// The server gets the close frame although it's still sending.
    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_the_answer_to_the_close() {
        let (choose, mut name) = chosen();
        let (board, shown) = watch::channel(Board::default());
        let (client, mut server) = connection(1024).await;
        drop(choose);
        let serve = async move {
            loop {
                let message = server.next().await.expect("open");
                if message.expect("a frame").is_close() {
                    break;
                }
            }
            // The answer is sent by the next read.
            sleep(WRITE / 2).await;
            while let Some(message) = server.next().await {
                message.expect("a closing handshake");
            }
        };
        let talking = session(client, &mut name, &board);
        let (ended, ()) = tokio::join!(talking, serve);
        ended.expect("it was asked to end");
        assert!(!shown.borrow().live);
    }

    /// Its receivers notice, though the board still says that it's
    /// live.
    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_loop_drops_the_sender_of_the_board() {
        let (_choose, station) = chosen();
        let (board, mut shown) = watch::channel(Board::default());
        let (servers, _open) = tokio::sync::mpsc::channel(1);
        let connect = async || -> anyhow::Result<Socket> {
            let (client, mut server) = connection(1024).await;
            server.send(Message::text("Oslo 12:05")).await?;
            servers.send(server).await?;
            Ok(client)
        };
        let random = fastrand::Rng::with_seed(1);
        let keep = keep_connected(connect, station, board, random);
        tokio::select! {
            () = keep => panic!("the station is still there"),
            _ = shown.wait_for(|it| it.live) => {}
        }
        shown.changed().await.expect_err("dropped");
        assert!(shown.borrow().live);
    }
}
