//! Clients that are silent, slow, or send too much, and a listener without file descriptors.

use super::solution::{Limits, serve};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

exam::tests! {
    current lines_are_answered,
    current a_long_line_ends_without_a_reset,
    current a_client_without_whole_lines_loses_its_place,
    current a_client_that_reads_nothing_loses_its_place,
    current a_failed_accept_ends_nothing,
    current stop_sends_answers_in_progress,
    current a_dropped_server_closes_connections,
}

const LONG: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(3);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The answer to `big` has many bytes, to `slow` it takes 300 ms, and to `stuck` for ever.
async fn answer(line: Vec<u8>) -> Vec<u8> {
    if line == b"big" {
        return vec![b'x'; 100_000];
    }
    match &line[..] {
        b"slow" => sleep(Duration::from_millis(300)).await,
        b"stuck" => std::future::pending().await,
        _ => {}
    }
    line.to_ascii_uppercase()
}

async fn start(connections: usize, idle: Duration, grace: Duration) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let limits = Limits {
        connections,
        line: 100,
        idle,
        grace,
    };
    let task = tokio::spawn(serve(listener, limits, answer, stop.clone()));
    Server {
        address,
        stop,
        task,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).await;
        client.expect("the system accepts")
    }

    /// Whether another client gets an answer.
    async fn serves_another(&self) -> bool {
        let other = async {
            let mut other = self.connect().await;
            other.write_all(b"next\n").await?;
            let mut answer = [0; 5];
            other.read_exact(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        matches!(timeout(SOON, other).await, Ok(Ok(answer)) if &answer == b"NEXT\n")
    }
}

async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SOON, client.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match read {
        Ok(Ok(_)) => text,
        Ok(Err(error)) => panic!("after {text:?}, no end of the stream, but an error: {error}"),
        Err(_) => panic!("after {text:?}, the connection stays open"),
    }
}

/// The end or an error.
async fn is_closed(client: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    timeout(SOON, client.read_to_end(&mut bytes)).await.is_ok()
}

async fn lines_are_answered() {
    let server = start(10, LONG, LONG).await;
    let longest = "x".repeat(100);
    let pieces = [
        (
            "one packet",
            vec!["one\ntwo\n\nthree\n".to_owned()],
            "ONE\nTWO\n\nTHREE\n".to_owned(),
        ),
        (
            "pieces",
            vec!["o".to_owned(), "ne\ntw".to_owned(), "o\n".to_owned()],
            "ONE\nTWO\n".to_owned(),
        ),
        (
            "a slow answer",
            vec!["slow\ntwo\n".to_owned()],
            "SLOW\nTWO\n".to_owned(),
        ),
        (
            "a torn last line",
            vec!["pay 1000\npay 10".to_owned()],
            "PAY 1000\n".to_owned(),
        ),
        (
            "the longest line",
            vec![format!("{longest}\n")],
            format!("{}\n", longest.to_uppercase()),
        ),
    ];
    for (what, pieces, expected) in pieces {
        let mut client = server.connect().await;
        client.set_nodelay(true).expect("a socket");
        for piece in pieces {
            client.write_all(piece.as_bytes()).await.expect("connected");
            sleep(Duration::from_millis(30)).await;
        }
        // It has sent everything, and waits for the answers.
        client.shutdown().await.expect("connected");
        assert_eq!(rest(&mut client).await, expected, "{what}");
    }
}

async fn a_long_line_ends_without_a_reset() {
    let server = start(10, LONG, LONG).await;
    for (first, answer, length) in [("", "", 101), ("slow\n", "SLOW\n", 30_000)] {
        let mut client = server.connect().await;
        let sent = format!("{first}{}", "x".repeat(length));
        client.write_all(sent.as_bytes()).await.expect("connected");
        let expected = format!("{answer}too long\n");
        assert_eq!(
            rest(&mut client).await,
            expected,
            "{length} bytes in a line"
        );
    }
}

async fn a_client_without_whole_lines_loses_its_place() {
    for first in ["", "one\n", "torn"] {
        let server = start(1, Duration::from_millis(300), LONG).await;
        let mut client = server.connect().await;
        client.write_all(first.as_bytes()).await.expect("connected");
        let trickling = tokio::spawn(async move {
            while first == "torn" && client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
            sleep(LONG).await;
        });
        sleep(Duration::from_millis(50)).await;
        assert!(
            server.serves_another().await,
            "after {first:?} the client completes no line, and nobody else is served"
        );
        trickling.abort();
    }
}

async fn a_client_that_reads_nothing_loses_its_place() {
    let server = start(1, Duration::from_millis(300), LONG).await;
    let client = Arc::new(server.connect().await);
    let sending = client.clone();
    let sending = tokio::spawn(async move {
        // At most 200 megabytes of answers: more than the system buffers.
        for _ in 0..2000 {
            sending.writable().await.expect("a socket");
            match sending.try_write(b"big\n") {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    sleep(Duration::from_millis(50)).await;
    assert!(
        server.serves_another().await,
        "a client takes no answers, and nobody else is served"
    );
    sending.abort();
}

async fn a_failed_accept_ends_nothing() {
    let server = start(10, LONG, LONG).await;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    // One more file may be open, and it's the client's socket.
    let next = File::open("/dev/null").expect("it exists").as_raw_fd() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, next + 1, hard).expect("a lower limit");
    let mut client = server.connect().await;
    sleep(Duration::from_millis(200)).await;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the former limit");
    client.write_all(b"one\n").await.ok();
    let mut answer = [0; 4];
    let read = timeout(SOON, client.read_exact(&mut answer)).await;
    assert!(
        matches!(read, Ok(Ok(_))) && &answer == b"ONE\n",
        "no file descriptor was free for a moment, and now the client isn't served"
    );
    assert!(
        server.serves_another().await,
        "further clients aren't served"
    );
}

async fn stop_sends_answers_in_progress() {
    // All places are taken, and one more client waits.
    let mut server = start(2, LONG, Duration::from_secs(1)).await;
    let (mut active, mut silent) = (server.connect().await, server.connect().await);
    silent.write_all(b"torn").await.expect("connected");
    active.write_all(b"slow\n").await.expect("connected");
    sleep(Duration::from_millis(100)).await;
    let _waiting = server.connect().await;
    sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    assert_eq!(rest(&mut active).await, "SLOW\n", "the answer in progress");
    let ended = timeout(SOON, &mut server.task).await;
    ended
        .expect("`serve` hasn't returned after `grace`")
        .expect("no panic");
    assert!(
        is_closed(&mut silent).await,
        "`serve` has returned, and a connection is open"
    );
    let late = TcpStream::connect(server.address).await;
    assert!(late.is_err(), "`serve` has returned, and it still listens");

    // An answer that takes longer than the grace period.
    let mut server = start(1, LONG, Duration::from_millis(100)).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"stuck\n").await.expect("connected");
    sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    let ended = timeout(SOON, &mut server.task).await;
    ended
        .expect("`serve` waits longer than `grace`")
        .expect("no panic");
    assert!(
        is_closed(&mut stuck).await,
        "`serve` has returned, and a connection is open"
    );
}

async fn a_dropped_server_closes_connections() {
    let server = start(10, LONG, LONG).await;
    let (mut silent, mut stuck) = (server.connect().await, server.connect().await);
    stuck.write_all(b"stuck\n").await.expect("connected");
    sleep(Duration::from_millis(100)).await;
    server.task.abort();
    assert!(server.task.await.is_err(), "`serve` ended before");
    for client in [&mut silent, &mut stuck] {
        assert!(
            is_closed(client).await,
            "the server is dropped, and a connection is open"
        );
    }
}
