//! Connections, streams, slow clients, panics, and clients that go away.

use super::solution::limited;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use futures::{poll, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

exam::tests! {
    paused others_are_refused_at_once,
    paused a_stream_holds_its_place,
    paused a_panic_or_a_cancel_gives_back_the_place,
    paused trailers_and_sizes_are_kept,
    current all_connections_count,
    current a_slow_client_holds_its_place,
}

/// More than the buffers of two sockets can hold.
const LARGE: usize = 48 << 20;

#[derive(Clone)]
struct Server {
    app: Router,
    running: Arc<AtomicUsize>,
    finish: Arc<Semaphore>,
}

fn server(most: usize) -> Server {
    let (running, finish) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (started, finished) = (running.clone(), finish.clone());
    let wait = move || async move {
        started.fetch_add(1, Ordering::SeqCst);
        finished
            .acquire()
            .await
            .expect("it's never closed")
            .forget();
        "done"
    };
    let routes = Router::new()
        .route("/", get(async || "hello"))
        .route("/wait", get(wait))
        .route(
            "/panic",
            get(async || -> &'static str { panic!("the handler's own") }),
        )
        .route("/large", get(async || vec![b'x'; LARGE]))
        .route("/stream", get(streamed));
    Server {
        app: limited(routes, most),
        running,
        finish,
    }
}

async fn streamed() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "7".parse().expect("it's a value"));
    let pieces = ["a", "b"].map(|it| Frame::data(Bytes::from(it)));
    let frames = pieces.into_iter().chain([Frame::trailers(trailers)]);
    let frames = stream::iter(frames.map(Ok::<_, Infallible>));
    Response::new(Body::new(StreamBody::new(frames)))
}

async fn ask(app: &Router, path: &str) -> Response {
    let request = Request::get(path)
        .body(Body::empty())
        .expect("it's a request");
    app.clone()
        .oneshot(request)
        .await
        .expect("a router doesn't fail")
}

/// Reads the whole body.
async fn status(app: &Router, path: &str) -> StatusCode {
    let response = ask(app, path).await;
    let status = response.status();
    drop(response.into_body().collect().await.expect("a whole body"));
    status
}

async fn others_are_refused_at_once() {
    let Server {
        app,
        running,
        finish,
    } = server(2);
    let mut waiting = Vec::new();
    for n in 0..2 {
        let app = app.clone();
        waiting.push(tokio::spawn(async move { status(&app, "/wait").await }));
        while running.load(Ordering::SeqCst) == n {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for path in ["/", "/wait"] {
        let refused = timeout(Duration::from_secs(1), status(&app, path)).await;
        let refused = refused.expect("a request above the limit waits");
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE, "above the limit");
    }
    assert_eq!(running.load(Ordering::SeqCst), 2, "handlers ran");
    finish.add_permits(2);
    for waiting in waiting {
        assert_eq!(
            waiting.await.expect("no panic"),
            StatusCode::OK,
            "within the limit"
        );
    }
    for _ in 0..10 {
        assert_eq!(
            status(&app, "/").await,
            StatusCode::OK,
            "after the others have finished"
        );
    }
}

async fn a_stream_holds_its_place() {
    let Server { app, .. } = server(1);
    let response = ask(&app, "/stream").await;
    assert_eq!(response.status(), StatusCode::OK);
    let refused = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(status(&app, "/").await, refused, "while a body is unread");
    let mut body = response.into_body();
    drop(body.frame().await);
    assert_eq!(
        status(&app, "/").await,
        refused,
        "while half of a body is unread"
    );
    drop(body);
    assert_eq!(
        status(&app, "/").await,
        StatusCode::OK,
        "after half of a body was dropped"
    );
    assert_eq!(status(&app, "/stream").await, StatusCode::OK);
    assert_eq!(
        status(&app, "/").await,
        StatusCode::OK,
        "after a body was read"
    );
}

async fn a_panic_or_a_cancel_gives_back_the_place() {
    let Server { app, .. } = server(1);
    for _ in 0..3 {
        let app = app.clone();
        let ended = tokio::spawn(async move { status(&app, "/panic").await }).await;
        if let Ok(answer) = ended {
            assert_eq!(
                answer,
                StatusCode::INTERNAL_SERVER_ERROR,
                "the handler panics"
            );
        }
    }
    assert_eq!(status(&app, "/").await, StatusCode::OK, "after panics");
    for _ in 0..3 {
        let mut canceled = Box::pin(ask(&app, "/wait"));
        assert!(poll!(canceled.as_mut()).is_pending(), "the handler waits");
    }
    assert_eq!(status(&app, "/").await, StatusCode::OK, "after cancels");
}

async fn trailers_and_sizes_are_kept() {
    let Server { app, .. } = server(1);
    let body = ask(&app, "/stream")
        .await
        .into_body()
        .collect()
        .await
        .expect("a whole body");
    let trailers = body.trailers().expect("the trailers are lost");
    assert_eq!(trailers["checksum"], "7");
    assert_eq!(body.to_bytes(), "ab");
    let exact = ask(&app, "/").await.body().size_hint().exact();
    assert_eq!(
        exact,
        Some(5),
        "the size of a body is lost, and with it Content-Length"
    );
}

async fn serve(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = server.app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A connection with a request on its way.
async fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: exam\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .await
        .expect("it's sent");
    connection
}

/// The head of the response, byte by byte.
async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.expect("a response"));
    }
    String::from_utf8(head).expect("it's text")
}

async fn assert_answers(address: SocketAddr, status: &str, when: &str) {
    let head = read_head(&mut send(address, "/").await).await;
    assert!(
        head.starts_with(&format!("HTTP/1.1 {status}")),
        "{when}: {head}"
    );
}

async fn all_connections_count() {
    let server = server(2);
    let address = serve(&server).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(send(address, "/wait").await);
    }
    while server.running.load(Ordering::SeqCst) < 2 {
        sleep(Duration::from_millis(1)).await;
    }
    assert_answers(address, "503", "two other connections have requests").await;
    server.finish.add_permits(2);
    for connection in &mut waiting {
        let head = read_head(connection).await;
        assert!(head.starts_with("HTTP/1.1 200"), "within the limit: {head}");
    }
}

async fn a_slow_client_holds_its_place() {
    let server = server(1);
    let address = serve(&server).await;
    let mut slow = send(address, "/large").await;
    let head = read_head(&mut slow).await;
    assert!(head.starts_with("HTTP/1.1 200"), "within the limit: {head}");
    for _ in 0..3 {
        sleep(Duration::from_millis(100)).await;
        assert_answers(address, "503", "a client hasn't read its response yet").await;
    }
    let mut rest = vec![0; 1 << 20];
    let mut unread = LARGE;
    while unread > 0 {
        let next = rest.len().min(unread);
        unread -= slow
            .read(&mut rest[..next])
            .await
            .expect("the rest of the body");
    }
    // What is left to do in the server takes a moment.
    for _ in 0..100 {
        let head = read_head(&mut send(address, "/").await).await;
        if head.starts_with("HTTP/1.1 200") {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("a response was read, and its place isn't free");
}
