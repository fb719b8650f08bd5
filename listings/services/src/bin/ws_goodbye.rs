//! Close WebSockets at shutdown: close frame 1001, and wait for the answer.

// ANCHOR: chat
use std::{io, sync::Arc};

use axum::{
    extract::{
        State,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade,
            close_code,
        },
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[derive(Clone)]
struct Chats {
    stop: CancellationToken,
    open: TaskTracker,
    places: Arc<Semaphore>,
    /// How long to wait for a client that's silent or doesn't read.
    patience: Duration,
}

async fn chat(
    State(chats): State<Chats>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(place) = chats.places.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let open = chats.open.token();
    // Without a limit for frames, one can announce 16 MiB.
    let upgrade = upgrade.max_frame_size(4096).max_message_size(4096);
    upgrade.on_upgrade(async move |socket| {
        talk(socket, &chats).await;
        drop((open, place));
    })
}
// ANCHOR_END: chat

use std::io::Write;

use tokio::{task::coop::consume_budget, time::timeout};

// ANCHOR: talk
/// Answers each text until shutdown, then closes with code 1001.
async fn talk(mut socket: WebSocket, chats: &Chats) {
    let (code, reason) = loop {
        consume_budget().await; // Many messages may be buffered.
        let message = timeout(chats.patience, socket.recv());
        match chats.stop.run_until_cancelled(message).await {
            None => break (close_code::AWAY, "restart"),
            Some(Err(_)) => break (close_code::POLICY, "silent"),
            Some(Ok(Some(Ok(Message::Close(_))))) => {
                return close(socket, None, chats.patience).await;
            }
            Some(Ok(Some(Ok(text @ Message::Text(_))))) => {
                let sent = timeout(chats.patience, socket.send(text));
                let Ok(Ok(())) = sent.await else { return };
            }
            Some(Ok(Some(Ok(_)))) => {}
            // The connection is lost, or the message is too large.
            Some(Ok(None | Some(Err(_)))) => return,
        }
    };
    let frame = CloseFrame { code, reason: reason.into() };
    close(socket, Some(frame), chats.patience).await;
}
// ANCHOR_END: talk

// ANCHOR: close
/// Sends the frame, if any, and reads until the connection has ended.
async fn close(
    mut socket: WebSocket,
    frame: Option<CloseFrame>,
    patience: Duration,
) {
    let closed = async {
        if let Some(frame) = frame {
            socket.send(Message::Close(Some(frame))).await?;
        }
        while socket.recv().await.transpose()?.is_some() {
            consume_budget().await;
        }
        Ok::<_, axum::Error>(())
    };
    if !matches!(timeout(patience, closed).await, Ok(Ok(()))) {
        _ = writeln!(io::stderr(), "a client left its chat open");
    }
}
// ANCHOR_END: close

// ANCHOR: stop
/// Closes the listener and the chats. Returns how many chats are still
/// open when the grace period is over. These end with the runtime.
async fn stop_all(
    chats: &Chats,
    mut server: JoinHandle<io::Result<()>>,
    grace: Duration,
) -> io::Result<usize> {
    chats.stop.cancel();
    let ended = async {
        let served = (&mut server).await;
        chats.open.close();
        chats.open.wait().await;
        served?
    };
    if let Ok(ended) = timeout(grace, ended).await {
        ended?;
    }
    server.abort();
    Ok(chats.open.len())
}
// ANCHOR_END: stop

use std::{error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use futures::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message as Sent, protocol::CloseFrame as Received,
    },
};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const GRACE: Duration = Duration::from_secs(10);

impl Chats {
    fn new(places: usize, patience: Duration) -> Self {
        Self {
            stop: CancellationToken::new(),
            open: TaskTracker::new(),
            places: Arc::new(Semaphore::new(places)),
            patience,
        }
    }

    /// Starts a server, and returns where it listens.
    async fn serve(
        &self,
    ) -> io::Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new()
            .route("/chat", get(chat))
            .with_state(self.clone());
        let stop = self.stop.clone().cancelled_owned();
        let server =
            axum::serve(listener, routes).with_graceful_shutdown(stop);
        Ok((address, tokio::spawn(server.into_future())))
    }
}

async fn join(address: SocketAddr) -> tungstenite::Result<Client> {
    let url = format!("ws://{address}/chat");
    let (mut client, _) = connect_async(url).await?;
    client.send(Sent::text("tea?")).await?;
    client.next().await.transpose()?;
    Ok(client)
}

/// The close frame that a client gets. Reading on sends the answer.
async fn farewell(
    client: &mut Client,
) -> tungstenite::Result<Option<Received>> {
    let mut frame = None;
    while let Some(message) = client.next().await.transpose()? {
        if let Sent::Close(close) = message {
            frame = close;
        }
    }
    Ok(frame)
}

/// The close frame that a client gets at the stop, and how many chats
/// are still open after it.
async fn stop_while_one_chats()
-> Result<(Option<Received>, usize), Box<dyn Error>> {
    let chats = Chats::new(100, Duration::from_secs(60));
    let (address, server) = chats.serve().await?;
    let mut client = join(address).await?;
    let (open, frame) = tokio::join!(
        stop_all(&chats, server, GRACE),
        farewell(&mut client)
    );
    Ok((frame?, open?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (frame, open) = stop_while_one_chats().await?;
    if let Some(Received { code, reason }) = frame {
        println!("the client gets close frame {code}: {reason}");
    }
    println!("the server has ended; chats still open: {open}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    type Outcome = Result<(), Box<dyn Error>>;

    const SHORT: Duration = Duration::from_millis(50);

    fn away(frame: Option<Received>) -> bool {
        frame.is_some_and(|it| it.code == CloseCode::Away)
    }

    #[tokio::test]
    async fn stop_ends_the_chat() -> Outcome {
        let (frame, open) = stop_while_one_chats().await?;
        assert!(away(frame));
        assert_eq!(open, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_end_every_chat() -> Outcome {
        let chats = Chats::new(20, GRACE);
        let (address, server) = chats.serve().await?;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let mut client = join(address).await?;
            clients.spawn(async move { farewell(&mut client).await });
        }
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        for frame in clients.join_all().await {
            assert!(away(frame?));
        }
        Ok(())
    }

    /// A chat that ignores the stop, and a server that doesn't end.
    #[tokio::test(start_paused = true)]
    async fn stop_returns_although_a_chat_is_left() -> io::Result<()> {
        let chats = Chats::new(1, GRACE);
        chats.open.spawn(std::future::pending::<()>());
        let server = tokio::spawn(async { Ok(()) });
        assert_eq!(stop_all(&chats, server, GRACE).await?, 1);
        let server = tokio::spawn(std::future::pending());
        assert_eq!(stop_all(&chats, server, GRACE).await?, 1);
        Ok(())
    }

    /// A client that sends nothing gets a close frame, too.
    #[tokio::test]
    async fn silence_ends_a_chat() -> Outcome {
        let chats = Chats::new(1, SHORT);
        let (address, server) = chats.serve().await?;
        let url = format!("ws://{address}/chat");
        let (mut client, _) = connect_async(url).await?;
        let frame = farewell(&mut client).await?.expect("a frame");
        assert_eq!(frame.code, CloseCode::Policy);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        Ok(())
    }

    /// A client that never reads, so that it never answers.
    #[tokio::test]
    async fn slow_client_does_not_hold_a_chat() -> Outcome {
        let chats = Chats::new(1, Duration::from_millis(300));
        let (address, server) = chats.serve().await?;
        let client = join(address).await?;
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        drop(client);
        Ok(())
    }

    /// Even if a client never stops sending, other tasks get to run.
    #[tokio::test]
    async fn overload_of_messages_delays_no_other_task() -> Outcome {
        use std::{
            io::{Read, Write},
            time::Instant,
        };
        const PONGS: usize = 400_000;
        let chats = Chats::new(1, GRACE);
        let (address, _server) = chats.serve().await?;
        let client = join(address).await?.into_inner();
        let MaybeTlsStream::Plain(client) = client else {
            return Err("no TLS is used".into());
        };
        let mut client = client.into_std()?;
        client.set_nonblocking(false)?;
        let start = Instant::now();
        let flood = std::thread::spawn(move || {
            let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(PONGS);
            let text = [0x81, 0x81, 0, 0, 0, 0, b'a'];
            client.write_all(&[&pongs[..], &text[..]].concat())?;
            client.read_exact(&mut [0; 3]) // Its echo.
        });
        let (mut gaps, mut last) = (Vec::new(), start);
        while !flood.is_finished() {
            tokio::task::yield_now().await;
            gaps.push(last.elapsed());
            last = Instant::now();
        }
        flood.join().expect("no panic")?;
        let all = start.elapsed();
        gaps.retain(|gap| *gap > all / 100);
        let delayed = gaps.iter().sum::<Duration>();
        assert!(delayed < all / 2, "{delayed:?} of {all:?}");
        Ok(())
    }

    /// A client that disconnects without closing.
    #[tokio::test]
    async fn failure_of_the_connection_ends_a_chat() -> Outcome {
        let chats = Chats::new(1, GRACE);
        let (address, server) = chats.serve().await?;
        drop(join(address).await?);
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn edges_stopped_before_and_a_client_that_closes() -> Outcome
    {
        let chats = Chats::new(1, GRACE);
        let (address, server) = chats.serve().await?;
        let mut client = join(address).await?;
        let code = CloseCode::Normal;
        let frame = Received { code, reason: "bye".into() };
        client.close(Some(frame.clone())).await?;
        // The server echoes the frame.
        assert_eq!(farewell(&mut client).await?, Some(frame));
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        assert!(join(address).await.is_err());
        Ok(())
    }

    /// A chat holds its place until it ends.
    #[tokio::test]
    async fn overload_of_chats_is_refused() -> Outcome {
        let chats = Chats::new(1, GRACE);
        let (address, server) = chats.serve().await?;
        let first = join(address).await?;
        let refused = join(address).await.expect_err("no place");
        assert!(refused.to_string().contains("503"), "{refused}");
        drop(first);
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        drop(join(address).await?);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        Ok(())
    }

    /// A client that sends, and doesn't read what it gets.
    #[tokio::test]
    async fn slow_reader_does_not_hold_a_chat() -> Outcome {
        let chats = Chats::new(1, Duration::from_millis(300));
        let (address, server) = chats.serve().await?;
        let mut client = join(address).await?;
        let text = "x".repeat(4000);
        let mut sent = true;
        while sent {
            let next = client.send(Sent::text(text.clone()));
            sent = matches!(timeout(SHORT, next).await, Ok(Ok(())));
        }
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        Ok(())
    }

    /// A frame that announces a megabyte ends the chat: the server
    /// doesn't wait for it.
    #[tokio::test]
    async fn overload_of_memory_by_a_frame_is_refused() -> Outcome {
        use tokio::io::AsyncWriteExt;
        let chats = Chats::new(1, hazards::HOUR);
        let (address, server) = chats.serve().await?;
        let mut client = join(address).await?;
        let mut header = vec![0x81, 0xff];
        header.extend((1_u64 << 20).to_be_bytes());
        header.extend([0; 4]);
        client.get_mut().write_all(&header).await?;
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        assert_eq!(stop_all(&chats, server, GRACE).await?, 0);
        Ok(())
    }

    /// The server fails: its chats still get their close frame.
    #[tokio::test]
    async fn failure_of_the_server_waits_for_chats() -> Outcome {
        let chats = Chats::new(1, GRACE);
        let (address, _server) = chats.serve().await?;
        let mut client = join(address).await?;
        let failed = tokio::spawn(async {
            Err(io::Error::other("no more files"))
        });
        let stopped = async {
            let stopped = stop_all(&chats, failed, GRACE).await;
            assert_eq!(chats.open.len(), 0);
            stopped
        };
        let (stopped, frame) =
            tokio::join!(stopped, farewell(&mut client));
        assert!(away(frame?));
        assert!(stopped.is_err());
        Ok(())
    }

    /// If the stop is dropped, the chats still get their close frame.
    #[tokio::test]
    async fn cancel_of_the_stop_still_closes_chats() -> Outcome {
        let chats = Chats::new(1, GRACE);
        let (address, server) = chats.serve().await?;
        let mut client = join(address).await?;
        {
            let mut stop =
                std::pin::pin!(stop_all(&chats, server, GRACE));
            assert!(futures::poll!(stop.as_mut()).is_pending());
        }
        assert!(away(farewell(&mut client).await?));
        let place = timeout(GRACE, chats.places.acquire()).await;
        drop(place??);
        Ok(())
    }
}
