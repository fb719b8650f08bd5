//! Clients that stop in the middle of something, large bodies, and the end of the server.

use super::solution::{Limits, serve};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures::StreamExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

exam::tests! {
    current requests_are_answered,
    current further_clients_wait,
    current silent_clients_are_disconnected,
    current a_stalled_body_ends,
    current bodies_are_limited,
    current stop_lets_requests_finish,
    current grace_ends_everything,
}

const SOON: Duration = Duration::from_secs(3);
const MOMENT: Duration = Duration::from_millis(300);

const LIMITS: Limits = Limits {
    connections: 10,
    head: Duration::from_secs(60),
    request: Duration::from_secs(60),
    body: 5_000_000,
    grace: Duration::from_secs(60),
};

/// What the handler of `/stream` got.
#[derive(Default)]
struct Got {
    bytes: AtomicUsize,
    whole: AtomicBool,
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    got: Arc<Got>,
}

async fn start(limits: Limits) -> Server {
    let got = Arc::new(Got::default());
    let counted = got.clone();
    let stream = move |body: Body| async move {
        let mut chunks = body.into_data_stream();
        loop {
            match chunks.next().await {
                Some(Ok(chunk)) => counted.bytes.fetch_add(chunk.len(), Ordering::SeqCst),
                Some(Err(_)) => return "torn",
                None => break,
            };
        }
        counted.whole.store(true, Ordering::SeqCst);
        "whole"
    };
    let slow = async || {
        sleep(MOMENT).await;
        "slow"
    };
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/slow", get(slow))
        .route("/stuck", get(std::future::pending::<()>))
        .route("/size", post(async |body: Bytes| body.len().to_string()))
        .route("/stream", post(stream));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, app, limits, stop.clone()));
    Server {
        address,
        stop,
        task,
        got,
    }
}

fn head(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")
}

impl Server {
    /// Connects and sends the bytes.
    async fn send(&self, bytes: &str) -> TcpStream {
        let client = TcpStream::connect(self.address).await;
        let mut client = client.expect("the system accepts");
        client.write_all(bytes.as_bytes()).await.expect("room");
        client
    }
}

/// Reads until the end of the text has arrived.
async fn until(client: &mut TcpStream, end: &str) -> bool {
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.ends_with(end.as_bytes()) {
            match client.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
        true
    };
    timeout(SOON, reading).await.unwrap_or(false)
}

/// The end or an error.
async fn is_closed(client: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    timeout(SOON, client.read_to_end(&mut bytes)).await.is_ok()
}

async fn requests_are_answered() {
    let server = start(LIMITS).await;
    let mut client = server.send("").await;
    for (path, answer) in [("/", "hello"), ("/slow", "slow"), ("/", "hello")] {
        client.write_all(head(path).as_bytes()).await.expect("open");
        assert!(
            until(&mut client, answer).await,
            "GET {path} on one connection"
        );
    }
    let body = "x".repeat(3_000_000);
    let head = "POST /size HTTP/1.1\r\nHost: shop\r\nContent-Length: 3000000\r\n\r\n";
    let mut client = server.send("").await;
    client.write_all(head.as_bytes()).await.expect("open");
    client.write_all(body.as_bytes()).await.ok();
    assert!(
        until(&mut client, "3000000").await,
        "a body of three megabytes, and five are allowed"
    );
}

async fn further_clients_wait() {
    let limits = Limits {
        connections: 2,
        ..LIMITS
    };
    let server = start(limits).await;
    let mut first = server.send(&head("/")).await;
    let mut second = server.send(&head("/")).await;
    assert!(until(&mut first, "hello").await, "the first client");
    assert!(until(&mut second, "hello").await, "the second client");
    let mut third = server.send(&head("/")).await;
    let answer = timeout(MOMENT, third.read_u8()).await;
    assert!(
        answer.is_err(),
        "a third connection is served, and two are allowed"
    );
    drop(first);
    assert!(
        until(&mut third, "hello").await,
        "a place is free, and nobody gets it"
    );
}

async fn silent_clients_are_disconnected() {
    let limits = Limits {
        connections: 1,
        head: MOMENT,
        ..LIMITS
    };
    let server = start(limits).await;
    for sent in ["", "GET / HTTP/1.1\r\nHost: sh", &head("/")] {
        let mut client = server.send(sent).await;
        assert!(
            is_closed(&mut client).await,
            "silent after {sent:?}, and still connected"
        );
    }
    let mut next = server.send(&head("/")).await;
    assert!(
        until(&mut next, "hello").await,
        "a place is free, and nobody gets it"
    );
}

async fn a_stalled_body_ends() {
    let limits = Limits {
        connections: 1,
        request: MOMENT,
        head: MOMENT,
        ..LIMITS
    };
    let server = start(limits).await;
    for path in ["/size", "/stream"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nx");
        let mut client = server.send(&head).await;
        assert!(
            is_closed(&mut client).await,
            "one of 100 bytes sent, and still connected"
        );
    }
    let mut next = server.send(&head("/")).await;
    assert!(
        until(&mut next, "hello").await,
        "a place is free, and nobody gets it"
    );
}

async fn bodies_are_limited() {
    let limits = Limits {
        body: 1000,
        head: MOMENT,
        ..LIMITS
    };
    let server = start(limits).await;
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    for (path, chunks) in [("/stream", 100), ("/size", 100), ("/stream", 3)] {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut client = server.send(&head).await;
        let body = format!("{}0\r\n\r\n", chunk.repeat(chunks));
        client.write_all(body.as_bytes()).await.ok();
        let closed = is_closed(&mut client).await;
        let bytes = server.got.bytes.swap(0, Ordering::SeqCst);
        assert!(
            bytes <= 1000,
            "the handler of {path} read {bytes} bytes of a body"
        );
        assert!(
            !server.got.whole.load(Ordering::SeqCst),
            "{path}: a body is cut off, and looks whole"
        );
        assert!(closed, "{path}: silent, and still connected");
    }
    let mut client = server.send(&head("/")).await;
    assert!(until(&mut client, "hello").await, "others are served");
}

async fn stop_lets_requests_finish() {
    let mut server = start(LIMITS).await;
    let mut idle = server.send(&head("/")).await;
    assert!(until(&mut idle, "hello").await, "the first request");
    let mut active = server.send(&head("/slow")).await;
    sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    assert!(until(&mut active, "slow").await, "the request in progress");
    let ended = timeout(SOON, &mut server.task).await;
    ended
        .expect("an idle connection keeps `serve` from returning")
        .expect("no panic");
    assert!(
        is_closed(&mut idle).await,
        "`serve` has returned, and a connection is open"
    );
    let late = TcpStream::connect(server.address).await;
    assert!(late.is_err(), "`serve` has returned, and it still listens");
}

async fn grace_ends_everything() {
    // All places are taken.
    let limits = Limits {
        connections: 3,
        grace: MOMENT,
        ..LIMITS
    };
    let mut server = start(limits).await;
    let mut clients = vec![];
    for sent in [&head("/stuck"), "GET / HTTP/1.1\r\nHost: sh", ""] {
        clients.push(server.send(sent).await);
    }
    sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    let ended = timeout(SOON, &mut server.task).await;
    ended
        .expect("`serve` waits longer than `grace`")
        .expect("no panic");
    for client in &mut clients {
        assert!(
            is_closed(client).await,
            "`serve` has returned, and a connection is open"
        );
    }
}
