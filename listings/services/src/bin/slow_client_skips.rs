//! Send each client the newest departures: a slow one skips some, and
//! one that doesn't read is disconnected.

use std::pin::pin;

use anyhow::Context;
use futures::{SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::yield_now,
    time::{Duration, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

// ANCHOR: serve
const PING: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(5);

/// Sends the departures, and sends them again when they change, until
/// the client leaves or their sender is dropped. Fails if the client is
/// silent or doesn't read. Dropping this future drops the connection.
async fn serve_client(
    socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    mut departures: watch::Receiver<String>,
) -> anyhow::Result<()> {
    let (mut sink, stream) = socket.split();
    departures.mark_changed(); // Each client starts with a board.
    let send = async {
        let mut ping = interval(PING);
        loop {
            let message = tokio::select! {
                biased; // There may always be another board.
                _ = ping.tick() => Message::Ping("".into()),
                changed = departures.changed() => match changed {
                    Ok(()) => {
                        let board = departures.borrow_and_update();
                        Message::text(board.clone())
                    }
                    Err(_) => break,
                },
            };
            let sending = timeout(WRITE, sink.send(message)).await;
            sending.context("the client doesn't read")??;
        }
        anyhow::Ok(timeout(WRITE, sink.close()).await??)
    };
    let mut closed = pin!(until_closed(stream));
    tokio::select! {
        biased;
        ended = &mut closed => return ended,
        ended = send => ended?,
    }
    timeout(SILENCE, closed).await? // The client answers the close.
}
// ANCHOR_END: serve

// ANCHOR: until_closed
const SILENCE: Duration = Duration::from_secs(25);

/// Reads until the client leaves. Its pongs count as messages.
async fn until_closed(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> anyhow::Result<()> {
    loop {
        // Reading on answers a close frame.
        let message = timeout(SILENCE, stream.next()).await;
        if message
            .context("the client is silent")?
            .transpose()?
            .is_none()
        {
            return Ok(());
        }
        yield_now().await; // Messages may never stop arriving.
    }
}
// ANCHOR_END: until_closed

use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep},
};
use tokio_tungstenite::tungstenite::protocol::Role;

type Socket = WebSocketStream<DuplexStream>;

async fn connection() -> (Socket, Socket) {
    let (client, server) = duplex(256);
    let client = Socket::from_raw_socket(client, Role::Client, None);
    let server = Socket::from_raw_socket(server, Role::Server, None);
    tokio::join!(client, server)
}

/// Reads a board, then pauses. Returns what it has seen.
async fn read_boards(
    mut socket: Socket,
    pause: Duration,
) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let number = text.split('.').next().unwrap_or_default();
            seen.push(number.to_owned());
            sleep(pause).await;
        }
    }
    seen
}

/// Thirty boards, one a second, for three clients.
async fn station() -> ([Vec<String>; 2], String) {
    let start = Instant::now();
    let (fast, to_fast) = connection().await;
    let (slow, to_slow) = connection().await;
    let (_stuck, to_stuck) = connection().await;
    let board = |number| format!("{number:.<200}");
    let (boards, departures) = watch::channel(board(1));
    let publish = async move {
        for number in 2..=30 {
            sleep(Duration::from_secs(1)).await;
            boards.send_replace(board(number));
        }
    };
    let stuck = async {
        let served = serve_client(to_stuck, departures.clone()).await;
        let after = start.elapsed().as_secs();
        match served {
            Ok(()) => format!("after {after} s: it has left"),
            Err(error) => format!("after {after} s: {error}"),
        }
    };
    let (fast, slow, _, _, stuck, ()) = tokio::join!(
        read_boards(fast, Duration::ZERO),
        read_boards(slow, Duration::from_secs(2)),
        serve_client(to_fast, departures.clone()),
        serve_client(to_slow, departures.clone()),
        stuck,
        publish,
    );
    ([fast, slow], stuck)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let ([fast, slow], stuck) = station().await;
    println!("{stuck}");
    println!("the fast client got {} boards", fast.len());
    let last = slow.last().map_or("none", String::as_str);
    println!("the slow one got {}, the last is {last}", slow.len());
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, Silent, at_every_poll, within};
    use tokio::io::{join, sink};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_clients_do_not_delay_the_others() {
        let ([fast, slow], stuck) = within(HOUR, station()).await;
        assert!(stuck.ends_with("the client doesn't read"), "{stuck}");
        assert_eq!(fast.len(), 30);
        assert!(slow.len() < 20, "{slow:?}");
        assert_eq!(slow.last().expect("some"), "30");
    }

    /// What becomes of a client of a station whose board doesn't
    /// change for an hour.
    async fn served(
        socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    ) -> anyhow::Result<()> {
        let (_boards, departures) = watch::channel(String::new());
        within(HOUR, serve_client(socket, departures)).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_client_is_limited() {
        let socket = join(Silent, sink());
        let socket = WebSocketStream::from_raw_socket(
            socket,
            Role::Server,
            None,
        );
        let error = served(socket.await).await.expect_err("silence");
        assert_eq!(error.to_string(), "the client is silent");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_clients_that_answer_the_close() {
        let (_client, server) = connection().await;
        let (boards, departures) = watch::channel(String::new());
        drop(boards);
        let serving = serve_client(server, departures);
        within(2 * SILENCE, serving).await.expect_err("no answer");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_connection_is_returned() {
        let (client, server) = connection().await;
        drop(client);
        let error = served(server).await.expect_err("it was cut off");
        assert!(error.to_string().contains("closing handshake"));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_sends_a_close_frame() {
        let (mut client, server) = connection().await;
        let (boards, departures) = watch::channel(String::new());
        drop(boards);
        let leave = async {
            let mut last = None;
            while let Some(message) = client.next().await {
                last = Some(message.expect("a frame"));
            }
            assert!(last.expect("some").is_close());
        };
        let (served, ()) =
            tokio::join!(serve_client(server, departures), leave);
        served.expect("a normal end");
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_client_leaves_and_the_board_is_empty() {
        let (mut client, server) = connection().await;
        let (boards, departures) = watch::channel("a".to_owned());
        boards.send_replace(String::new());
        let leave = async {
            client.close(None).await.expect("open");
            while client.next().await.is_some() {}
        };
        let (served, ()) =
            tokio::join!(serve_client(server, departures), leave);
        served.expect("a normal end");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_connection() {
        at_every_poll(async |cancel| {
            let (client, server) = connection().await;
            let (boards, departures) = watch::channel(String::new());
            let publish = async {
                for _ in 0..10 {
                    sleep(Duration::from_secs(1)).await;
                    boards.send_replace("x".repeat(200));
                }
                drop(boards);
            };
            let serving = cancel.run(serve_client(server, departures));
            let reading = read_boards(client, Duration::ZERO);
            let all = async { tokio::join!(serving, reading, publish) };
            within(HOUR, all).await;
        })
        .await;
    }

    /// A client that constantly gets boards isn't considered silent.
    #[tokio::test(start_paused = true)]
    async fn overload_of_boards_does_not_stop_the_pings() {
        let (client, server) = connection().await;
        let (boards, departures) = watch::channel(String::new());
        let publish = async move {
            for number in 1..=600 {
                sleep(Duration::from_millis(150)).await;
                boards.send_replace(format!("{number:.<1000}"));
            }
        };
        let all = async {
            tokio::join!(
                serve_client(server, departures),
                read_boards(client, Duration::from_secs(1)),
                publish,
            )
        };
        let (served, seen, ()) = within(HOUR, all).await;
        served.expect("it answers each ping");
        assert_eq!(seen.last().expect("some"), "600");
    }

    /// A client that never stops sending still gets its boards.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn overload_of_messages_does_not_stop_the_boards() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.await.expect("loopback");
        let to = listener.local_addr().expect("bound");
        let client = tokio::net::TcpStream::connect(to).await;
        let (server, _) = listener.accept().await.expect("a client");
        let (mut gets, mut floods) =
            client.expect("connected").into_split();
        let flood = tokio::spawn(async move {
            let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(20_000);
            while floods.write_all(&pongs).await.is_ok() {}
        });
        sleep(Duration::from_millis(50)).await; // The buffers fill.
        let server = WebSocketStream::from_raw_socket(
            server,
            Role::Server,
            None,
        );
        let server = server.await;
        let (boards, departures) = watch::channel(String::new());
        let serving = tokio::spawn(serve_client(server, departures));
        boards.send_replace("Oslo".to_owned());
        let limit = Duration::from_secs(30);
        let get = async {
            let mut seen = Vec::new();
            while !seen.windows(4).any(|it| it == b"Oslo") {
                gets.read_buf(&mut seen).await.expect("open");
            }
        };
        timeout(limit, get).await.expect("sent while it reads");
        serving.abort();
        flood.abort();
    }

    /// No matter how its receiver was created, or when it connects.
    #[tokio::test(start_paused = true)]
    async fn edges_a_new_client_gets_the_current_board() {
        let (mut client, server) = connection().await;
        let boards = watch::Sender::new("Oslo 12:05".to_owned());
        let serving = serve_client(server, boards.subscribe());
        let reading = async {
            loop {
                let message = client.next().await.expect("open");
                if let Ok(Message::Text(text)) = message {
                    return text.as_str().to_owned();
                }
            }
        };
        let limit = Duration::from_secs(1);
        tokio::select! {
            _ = serving => panic!("it ended"),
            board = timeout(limit, reading) => {
                assert_eq!(board.expect("a board"), "Oslo 12:05");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_the_client_is_answered() {
        let (mut client, server) = connection().await;
        let (_boards, departures) = watch::channel(String::new());
        let leave = async {
            client.close(None).await.expect("open");
            let mut last = None;
            while let Some(message) = client.next().await {
                last = Some(message.expect("a closing handshake"));
            }
            assert!(last.expect("some").is_close());
        };
        let (served, ()) =
            tokio::join!(serve_client(server, departures), leave);
        served.expect("a normal end");
    }
}
