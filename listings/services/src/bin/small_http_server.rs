//! Serve HTTP with limits, and drain at SIGTERM: a whole server.

// ANCHOR: limits
use std::{pin::pin, time::Duration};

use axum::{BoxError, Router, extract::DefaultBodyLimit};
use hyper::{StatusCode, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

#[derive(Clone, Copy)]
struct Limits {
    connections: usize, // Further clients wait.
    head: Duration,     // For a head and the pause before it.
    body: usize,        // Bytes in a request's body.
    request: Duration,  // Until the head of its response.
    age: Duration,      // A connection closes after that.
    grace: Duration,    // For the last request of a connection.
}

const LIMITS: Limits = Limits {
    connections: 1000,
    head: Duration::from_secs(10),
    body: 64 * 1024,
    request: Duration::from_secs(10),
    age: Duration::from_secs(300),
    grace: Duration::from_secs(20),
};
// ANCHOR_END: limits

// ANCHOR: serve
/// Serves until `stop`, then drains within the grace period. Returns
/// how many connections it aborted. Dropping this aborts all of them.
async fn serve(
    listener: TcpListener,
    shop: Router,
    limits: Limits,
    stop: CancellationToken,
) -> usize {
    let (shop, mut clients) = (limits.layers(shop), JoinSet::new());
    loop {
        let has_place = clients.len() < limits.connections;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = clients.join_next() => report(ended),
            client = accept(&listener), if has_place => {
                let (shop, stop) = (shop.clone(), stop.clone());
                clients.spawn(limits.client(client, shop, stop));
            }
        }
    }
    drop(listener); // Further clients are refused.
    let all = async {
        while let Some(ended) = clients.join_next().await {
            report(ended);
        }
    };
    let _ = timeout(limits.grace, all).await;
    let aborted = clients.len();
    // A handler that blocks its thread can't be aborted.
    let _ = timeout(PAUSE, clients.shutdown()).await;
    aborted
}
// ANCHOR_END: serve

// ANCHOR: client
impl Limits {
    /// The last layer is the outermost.
    fn layers(self, shop: Router) -> Router {
        let late = StatusCode::SERVICE_UNAVAILABLE;
        shop.layer(DefaultBodyLimit::disable()) // The next one limits.
            .layer(RequestBodyLimitLayer::new(self.body))
            .layer(TimeoutLayer::with_status_code(late, self.request))
            .layer(CatchPanicLayer::new())
    }

    async fn client(
        self,
        client: TcpStream,
        shop: Router,
        stop: CancellationToken,
    ) -> Result<(), BoxError> {
        let shop = TowerToHyperService::new(shop);
        let mut http = http1::Builder::new();
        http.max_buf_size(16 * 1024); // Limits the size of a head.
        // Without the timer, it panics.
        http.timer(TokioTimer::new()).header_read_timeout(self.head);
        let http = http.serve_connection(TokioIo::new(client), shop);
        let mut http = pin!(http);
        let grace = tokio::select! {
            ended = http.as_mut() => return Ok(ended?),
            () = sleep(self.age) => self.grace,
            () = stop.cancelled() => Duration::MAX, // `serve` ends it.
        };
        http.as_mut().graceful_shutdown();
        Ok(timeout(grace, http).await??)
    }
}
// ANCHOR_END: client

// ANCHOR: accept
/// How long to wait after an error of `accept` (too many open files,
/// for example), and for an aborted task to end.
const PAUSE: Duration = Duration::from_secs(1);

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                // Without this, parts of a response may be delayed.
                let _ = client.set_nodelay(true);
                return client;
            }
            Err(error) => tracing::error!(%error, "can't accept"),
        }
        sleep(PAUSE).await;
    }
}

fn report(ended: Result<Result<(), BoxError>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client's error"),
        Err(error) => tracing::error!(%error, "a connection's panic"),
    }
}
// ANCHOR_END: accept

// ANCHOR: main
use axum::routing::post;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Before the first client can connect.
    let mut sigterm = signal(SignalKind::terminate())?;
    let shop = Router::new().route("/orders", post(order));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let example = tokio::spawn(example(listener.local_addr()?));
    let stop = CancellationToken::new();
    let serving = serve(listener, shop, LIMITS, stop.clone());
    let stopping = async {
        sigterm.recv().await;
        stop.cancel();
    };
    let (aborted, ()) = tokio::join!(serving, stopping);
    println!("{}, aborted: {aborted}", example.await??);
    Ok(())
}
// ANCHOR_END: main

/// An order that takes a while.
async fn order(order: String) -> String {
    sleep(Duration::from_millis(100)).await;
    format!("ordered {order}")
}

/// Places an order, and sends the signal while it's in flight.
async fn example(
    server: std::net::SocketAddr,
) -> anyhow::Result<String> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let order =
        http.post(format!("http://{server}/orders")).body("tea");
    let stop = async {
        sleep(Duration::from_millis(50)).await;
        signal_hook::low_level::raise(signal_hook::consts::SIGTERM)
    };
    let (answer, stopped) = tokio::join!(order.send(), stop);
    stopped?;
    Ok(answer?.text().await?)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, io::Result, net::SocketAddr};

    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::{JoinHandle, block_in_place};

    use super::*;

    const SHORT: Duration = Duration::from_millis(500);

    const ORDER: &str = "POST /orders HTTP/1.1\r\nhost: shop\r\n\
                         content-length: 3\r\n\r\ntea";

    async fn send(server: SocketAddr, text: &str) -> Result<TcpStream> {
        let mut client = TcpStream::connect(server).await?;
        client.write_all(text.as_bytes()).await?;
        Ok(client)
    }

    /// Reads until the connection closes. Returns the status and body.
    async fn seen(client: &mut TcpStream) -> String {
        let mut seen = Vec::new();
        let _ = client.read_to_end(&mut seen).await;
        let seen = String::from_utf8_lossy(&seen);
        let status = seen.get(9..12).unwrap_or("closed");
        let body = seen.rsplit_once("\r\n\r\n").map_or("", |it| it.1);
        format!("{status} {body}")
    }

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<usize>,
    }

    async fn start(limits: Limits) -> Result<Server> {
        let raw = async |body: Body| {
            let body = to_bytes(body, usize::MAX).await;
            body.map_or("cut off".to_owned(), |it| it.len().to_string())
        };
        let bug = async || -> &'static str {
            std::panic::resume_unwind(Box::new("a bug"))
        };
        let block =
            async || block_in_place(|| std::thread::sleep(10 * SHORT));
        let shop = Router::new()
            .route("/orders", post(order))
            .route("/block", get(block))
            .route("/raw", post(raw))
            .route("/bug", get(bug))
            .route("/large", get(async || vec![0; 20_000_000]))
            .route("/stuck", get(pending::<()>));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let serving = serve(listener, shop, limits, stop.clone());
        Ok(Server { address, stop, task: tokio::spawn(serving) })
    }

    fn get_text(path: &str) -> String {
        format!("GET /{path} HTTP/1.1\r\nhost: shop\r\n\r\n")
    }

    /// Returns what a client gets, and checks that it gets it soon.
    async fn answer(server: &Server, text: &str) -> Result<String> {
        let mut client = send(server.address, text).await?;
        Ok(hazards::within(10 * SHORT, seen(&mut client)).await)
    }

    /// The single place of a server is free again.
    async fn has_place(server: &Server) -> Result<()> {
        let last = ORDER.replace("\r\nh", "\r\nconnection: close\r\nh");
        assert_eq!(answer(server, &last).await?, "200 ordered tea");
        Ok(())
    }

    const ONE: Limits = Limits {
        connections: 1,
        head: SHORT,
        request: SHORT,
        ..LIMITS
    };

    #[tokio::test]
    async fn silence_frees_the_place() -> Result<()> {
        let server = start(ONE).await?;
        for sent in ["", "P", "GET /pri"] {
            assert_eq!(answer(&server, sent).await?, "closed ");
        }
        let half = &ORDER[..ORDER.len() - 1];
        assert_eq!(answer(&server, half).await?, "503 ");
        assert_eq!(answer(&server, &get_text("stuck")).await?, "503 ");
        // Keep-alive: the server closes the idle connection.
        assert_eq!(answer(&server, ORDER).await?, "200 ordered tea");
        has_place(&server).await
    }

    #[tokio::test]
    async fn failure_of_a_client_frees_its_place() -> Result<()> {
        let server = start(Limits { connections: 1, ..LIMITS }).await?;
        for sent in ["GET /pri", &ORDER[..ORDER.len() - 1], ORDER] {
            drop(send(server.address, sent).await?);
        }
        has_place(&server).await
    }

    /// A client that doesn't read is cut off by its connection's age.
    #[tokio::test]
    async fn slow_reader_frees_its_place() -> Result<()> {
        let limits = Limits { age: SHORT, grace: SHORT, ..ONE };
        let server = start(limits).await?;
        let _open = send(server.address, &get_text("large")).await?;
        has_place(&server).await
    }

    #[tokio::test]
    async fn overload_of_clients_waits_for_a_place() -> Result<()> {
        let server = start(Limits { connections: 1, ..LIMITS }).await?;
        let first = send(server.address, "").await?;
        let second = send(server.address, ORDER).await?;
        let early = timeout(SHORT, second.readable()).await;
        assert!(early.is_err());
        drop(first);
        hazards::within(10 * SHORT, second.readable()).await
    }

    /// Even if the body is chunked, or is read without an extractor.
    #[tokio::test]
    async fn overload_of_a_body_is_refused() -> Result<()> {
        let server = start(Limits { body: 9, ..ONE }).await?;
        for path in ["orders", "raw"] {
            let head =
                format!("POST /{path} HTTP/1.1\r\nhost: shop\r\n");
            let long = format!("{head}content-length: 10\r\n\r\n");
            let refused = answer(&server, &long).await?;
            assert!(refused.starts_with("413"), "{refused}");
            let chunks = "transfer-encoding: chunked\r\n\r\n\
                          a\r\n0123456789\r\n0\r\n\r\n";
            let refused = answer(&server, &(head + chunks)).await?;
            assert!(!refused.contains("ordered"), "{refused}");
            assert!(!refused.contains("10"), "{refused}");
        }
        has_place(&server).await
    }

    #[tokio::test]
    async fn overload_of_a_head_is_refused() -> Result<()> {
        let server = start(ONE).await?;
        let long = get_text(&"x".repeat(20_000));
        let refused = answer(&server, &long).await?;
        assert!(refused.starts_with("431"), "{refused}");
        has_place(&server).await
    }

    #[tokio::test]
    async fn panic_of_a_handler_is_answered() -> Result<()> {
        let server = start(ONE).await?;
        for _ in 0..3 {
            let bug = answer(&server, &get_text("bug")).await?;
            assert!(bug.starts_with("500"), "{bug}");
        }
        has_place(&server).await
    }

    /// The order in flight is answered; an idle connection is closed.
    #[tokio::test]
    async fn stop_finishes_what_has_started() -> Result<()> {
        let server = start(LIMITS).await?;
        let mut idle = send(server.address, "").await?;
        let mut active = send(server.address, ORDER).await?;
        sleep(SHORT / 4).await;
        server.stop.cancel();
        assert_eq!(seen(&mut active).await, "200 ordered tea");
        assert_eq!(seen(&mut idle).await, "closed ");
        let left = hazards::within(10 * SHORT, server.task).await?;
        assert_eq!(left, 0);
        assert!(TcpStream::connect(server.address).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn stop_ends_with_the_grace_period() -> Result<()> {
        let server = start(Limits { grace: SHORT, ..LIMITS }).await?;
        let mut stuck =
            send(server.address, &get_text("stuck")).await?;
        let mut half = send(server.address, "GET /pri").await?;
        sleep(SHORT / 4).await;
        server.stop.cancel();
        let left = hazards::within(10 * SHORT, server.task).await?;
        assert_eq!(left, 2);
        assert_eq!(seen(&mut stuck).await, "closed ");
        assert_eq!(seen(&mut half).await, "closed ");
        hazards::no_task_left().await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_does_not_wait_for_a_blocked_thread() -> Result<()> {
        let server = start(Limits { grace: SHORT, ..LIMITS }).await?;
        let _client = send(server.address, &get_text("block")).await?;
        sleep(SHORT / 4).await;
        server.stop.cancel();
        assert_eq!(hazards::within(8 * SHORT, server.task).await?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_aborts_all_connections() -> Result<()> {
        let server = start(LIMITS).await?;
        let mut stuck =
            send(server.address, &get_text("stuck")).await?;
        sleep(SHORT / 4).await;
        server.task.abort();
        assert_eq!(seen(&mut stuck).await, "closed ");
        hazards::no_task_left().await;
        Ok(())
    }

    #[tokio::test]
    async fn edges_stopped_before_it_starts() -> Result<()> {
        let server = start(LIMITS).await?;
        server.stop.cancel();
        assert_eq!(server.task.await?, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_everyone() -> Result<()> {
        let server = start(Limits { connections: 4, ..ONE }).await?;
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            let mut client = send(server.address, ORDER).await?;
            clients.spawn(async move { seen(&mut client).await });
        }
        for seen in clients.join_all().await {
            assert_eq!(seen, "200 ordered tea");
        }
        Ok(())
    }
}
