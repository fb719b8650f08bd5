//! Limit connections, slow clients, and requests with hyper and axum.

use std::{io, sync::Arc};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

// ANCHOR: serve
/// Serves until `stop` is canceled or this future is dropped. Either
/// way, all connections are dropped.
async fn serve<L: Listen>(
    mut listener: L,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut clients = JoinSet::new();
    loop {
        let admitted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = clients.join_next() => {
                report(ended);
                continue;
            }
            admitted = limits.admit(&mut listener, &places) => admitted,
        };
        match admitted {
            Ok((io, place)) => {
                let client = limits.connection(io, routes.clone());
                clients.spawn(async move {
                    let _place = place; // Until the connection ends.
                    client.await
                });
            }
            Err(error) => {
                tracing::error!(%error, "can't accept a connection");
                if !concerns_one_client(&error) {
                    // Otherwise, the error would recur immediately.
                    stop.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
    }
}
// ANCHOR_END: serve

// ANCHOR: admit
impl Limits {
    /// Returns the next client, with its place. If this future is
    /// dropped, the client stays in the backlog, and its place is free.
    async fn admit<L: Listen>(
        &self,
        listener: &mut L,
        places: &Arc<Semaphore>,
    ) -> io::Result<(L::Io, OwnedSemaphorePermit)> {
        if self.refuse {
            loop {
                let io = listener.accept().await?;
                match places.clone().try_acquire_owned() {
                    Ok(place) => return Ok((io, place)),
                    Err(_full) => drop(io), // Closes the connection.
                }
            }
        }
        let place = places.clone().acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        Ok((listener.accept().await?, place))
    }
}
// ANCHOR_END: admit

// ANCHOR: connection
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};

impl Limits {
    /// Serves the requests of one connection.
    async fn connection<I: Io>(
        self,
        io: I,
        routes: Router,
    ) -> anyhow::Result<()> {
        let mut client = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.head)
                .serve_connection(
                    TokioIo::new(io),
                    TowerToHyperService::new(routes),
                )
                .with_upgrades()
        );
        if let Ok(ended) = timeout(self.age, client.as_mut()).await {
            return Ok(ended?);
        }
        // The current request is the last one.
        client.as_mut().graceful_shutdown();
        Ok(timeout(self.request, client).await??)
    }
}
// ANCHOR_END: connection

// ANCHOR: limits
#[derive(Clone, Copy)]
struct Limits {
    /// How many connections may be open at the same time.
    connections: usize,
    /// Whether further clients are refused, instead of waiting.
    refuse: bool,
    /// How long a client may take to send the head of a request, and
    /// how long it may be idle between two requests.
    head: Duration,
    /// How long a request may take, including its body.
    request: Duration,
    /// After this time, a connection accepts no more requests.
    age: Duration,
}

const LIMITS: Limits = Limits {
    connections: 1000,
    refuse: false,
    head: Duration::from_secs(10),
    request: Duration::from_secs(30),
    age: Duration::from_secs(300),
};

impl Limits {
    /// Also limits raw bodies, which `DefaultBodyLimit` wouldn't.
    fn layers(&self, routes: Router) -> Router {
        routes.layer(RequestBodyLimitLayer::new(64 * 1024)).layer(
            TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                self.request,
            ),
        )
    }
}
// ANCHOR_END: limits

// ANCHOR: listen
/// How long to wait after "too many open files".
const PAUSE: Duration = Duration::from_secs(1);

/// These errors end one connection, and the next `accept` may well
/// succeed. "Too many open files" isn't one of them.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (client, _address) = TcpListener::accept(self).await?;
        // A failure here is no reason to refuse the client, or to pause.
        let _ = client.set_nodelay(true);
        Ok(client)
    }
}
// ANCHOR_END: listen

use axum::{
    http::StatusCode,
    routing::{get, post},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::JoinError,
};
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<I: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for I {}

/// Accepts connections. A trait, so that a test can make it fail.
trait Listen: Send {
    type Io: Io;

    /// If this is dropped, no connection is lost.
    fn accept(
        &mut self,
    ) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

fn report(ended: Result<anyhow::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("connection: {error:#}"),
        Err(error) => tracing::error!("connection: {error}"),
    }
}

fn shop() -> Router {
    Router::new()
        .route("/price", get(async || "12 euros"))
        .route("/orders", post(async |order: String| order))
}

async fn connect(server: &TcpListener) -> io::Result<TcpStream> {
    TcpStream::connect(server.local_addr()?).await
}

const ASK: &str = "GET /price HTTP/1.1\r\nhost: shop\r\n\r\n";
const HALF: &str = "GET /price HTT";
const NO_BODY: &str = "POST /orders HTTP/1.1\r\nhost: shop\r\n\
                       content-length: 9\r\n\r\n";

/// Sends a text, and returns what it gets until the connection is closed.
async fn talk<I: Io>(mut client: I, text: &str) -> String {
    let mut answer = Vec::new();
    let sent = client.write_all(text.as_bytes()).await;
    let read = client.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    match (sent.and(read), answer.lines().next()) {
        (_, Some(line)) => format!("{line}, closed"),
        (Ok(_), None) => "closed".to_owned(),
        (Err(error), None) => error.to_string(),
    }
}

// ANCHOR: clients
async fn clients(limits: Limits) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let silent = connect(&listener).await?;
    let half = connect(&listener).await?;
    let idle = connect(&listener).await?;
    let slow = connect(&listener).await?;
    let stop = CancellationToken::new();
    let routes = limits.layers(shop());
    let (silent, half, idle, slow) = tokio::select! {
        biased;
        clients = async {
            tokio::join!(
                talk(silent, ""),
                talk(half, HALF),
                talk(idle, ASK),
                talk(slow, NO_BODY),
            )
        } => clients,
        () = serve(listener, routes, limits, stop) => unreachable!(),
    };
    println!("silent:       {silent}");
    println!("half a head:  {half}");
    println!("then idle:    {idle}");
    println!("half a body:  {slow}");
    Ok(())
}
// ANCHOR_END: clients

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let short = Duration::from_millis(60);
    clients(Limits { head: short, request: short, ..LIMITS }).await
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use futures::future::join_all;
    use hazards::HOUR;
    use tokio::{
        io::{DuplexStream, duplex},
        sync::mpsc,
        time::Instant,
    };

    use super::*;

    /// Replaces a listener, with the errors that a test chooses.
    impl Listen for mpsc::Receiver<io::Result<DuplexStream>> {
        type Io = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            match self.recv().await {
                Some(accepted) => accepted,
                None => std::future::pending().await,
            }
        }
    }

    const FEW: Limits = Limits { connections: 2, ..LIMITS };

    struct Server {
        clients: mpsc::Sender<io::Result<DuplexStream>>,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Server {
        fn start(limits: Limits) -> Self {
            let (clients, listener) = mpsc::channel(5000);
            let stop = CancellationToken::new();
            let broken = get(async || -> &'static str {
                std::panic::resume_unwind(Box::new("no price"))
            });
            let slow = get(async || {
                sleep(HOUR).await;
                "late"
            });
            let large = get(async || "x".repeat(1_000_000));
            let raw = post(async |body: Body| {
                match to_bytes(body, usize::MAX).await {
                    Ok(_) => StatusCode::OK,
                    Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
                }
            });
            let routes = shop()
                .route("/broken", broken)
                .route("/slow", slow)
                .route("/large", large)
                .route("/raw", raw);
            let routes = limits.layers(routes);
            let served = serve(listener, routes, limits, stop.clone());
            Self { clients, stop, task: tokio::spawn(served) }
        }

        fn connect(&self) -> DuplexStream {
            let (client, server) = duplex(4096);
            self.clients.try_send(Ok(server)).expect("room");
            client
        }

        fn fail(&self, error: io::Error) {
            self.clients.try_send(Err(error)).expect("room");
        }
    }

    const LAST: &str = "GET /price HTTP/1.1\r\nhost: shop\r\n\
                        connection: close\r\n\r\n";
    const ANSWERED: &str = "HTTP/1.1 200 OK, closed";

    fn too_many_files() -> io::Error {
        io::Error::from_raw_os_error(24)
    }

    #[tokio::test]
    async fn edges_the_first_request_is_answered() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = connect(&listener).await?;
        let stop = CancellationToken::new();
        let one = Limits { connections: 1, ..LIMITS };
        let answer = tokio::select! {
            answer = talk(client, LAST) => answer,
            () = serve(listener, shop(), one, stop) => unreachable!(),
        };
        assert_eq!(answer, ANSWERED);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_too_many_open_files_makes_a_pause() {
        let server = Server::start(FEW);
        let start = Instant::now();
        for _ in 0..60 {
            server.fail(too_many_files());
        }
        let client = server.connect();
        assert_eq!(talk(client, LAST).await, ANSWERED);
        assert_eq!(start.elapsed(), 60 * PAUSE);
        // The loop returns while it pauses.
        server.fail(too_many_files());
        tokio::task::yield_now().await;
        let start = Instant::now();
        server.stop.cancel();
        server.task.await.expect("no panic");
        assert!(start.elapsed() < PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_client_makes_no_pause() {
        let server = Server::start(FEW);
        let start = Instant::now();
        for _ in 0..60 {
            server.fail(io::ErrorKind::ConnectionAborted.into());
        }
        assert_eq!(talk(server.connect(), LAST).await, ANSWERED);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_clients_frees_their_places() {
        let server = Server::start(FEW);
        let start = Instant::now();
        let silent = ["", HALF, ASK, NO_BODY, ""];
        let talks = silent.map(|text| talk(server.connect(), text));
        let last = talk(server.connect(), LAST);
        let (_, answer) = tokio::join!(join_all(talks), last);
        assert_eq!(answer, ANSWERED);
        assert!(start.elapsed() < 3 * (FEW.head + FEW.request));
    }

    /// A byte each second isn't fast enough, for the head or the body.
    #[tokio::test(start_paused = true)]
    async fn slow_requests_are_ended() {
        let head =
            format!("GET /price HTTP/1.1\r\nx: {}", "x".repeat(99));
        let body = NO_BODY.replace("9", "999") + &"x".repeat(999);
        for (text, fast, limit, answer) in [
            (head, 0, FEW.head, "closed"),
            (
                body,
                NO_BODY.len() + 2,
                FEW.request,
                "HTTP/1.1 408 Request Timeout, closed",
            ),
        ] {
            let server = Server::start(FEW);
            let (reader, mut writer) =
                tokio::io::split(server.connect());
            let start = Instant::now();
            let write = tokio::spawn(async move {
                let (first, rest) = text.as_bytes().split_at(fast);
                writer.write_all(first).await?;
                for byte in rest {
                    sleep(Duration::from_secs(1)).await;
                    writer.write_u8(*byte).await?;
                }
                io::Result::Ok(())
            });
            let client = tokio::io::join(reader, tokio::io::sink());
            assert_eq!(talk(client, "").await, answer);
            let took = start.elapsed();
            assert!(took <= limit + Duration::from_secs(1), "{took:?}");
            write.abort();
        }
    }

    /// A client that doesn't read its answer keeps its place no longer
    /// than the age and one request.
    #[tokio::test(start_paused = true)]
    async fn slow_reader_frees_its_place() {
        let one = Limits { connections: 1, ..LIMITS };
        let server = Server::start(one);
        let mut client = server.connect();
        let large = ASK.replace("price", "large");
        client.write_all(large.as_bytes()).await.expect("sent");
        let start = Instant::now();
        assert_eq!(talk(server.connect(), LAST).await, ANSWERED);
        let took = start.elapsed();
        assert_eq!(took.as_secs(), (one.age + one.request).as_secs());
    }

    /// Without pauses between its requests, a connection ends, too.
    #[tokio::test(start_paused = true)]
    async fn slow_answers_and_old_connections_are_ended() {
        let server = Server::start(FEW);
        let slow = ASK.replace("price", "slow");
        let answer = talk(server.connect(), &slow).await;
        assert_eq!(answer, "HTTP/1.1 408 Request Timeout, closed");
        let mut client = server.connect();
        let start = Instant::now();
        let asked = async {
            loop {
                client.write_all(ASK.as_bytes()).await?;
                let mut answer = [0; 1024];
                if client.read(&mut answer).await? == 0 {
                    return io::Result::Ok(());
                }
                sleep(Duration::from_secs(5)).await;
            }
        };
        let _ended = hazards::within(HOUR, asked).await;
        assert!(start.elapsed() <= FEW.age + FEW.head);
    }

    /// An extractor reads one of these bodies, and a handler the other.
    #[tokio::test(start_paused = true)]
    async fn overload_of_every_body_is_bounded() {
        let chunk = "x".repeat(0x1000);
        let chunk = format!("1000\r\n{chunk}\r\n");
        for path in ["orders", "raw"] {
            for (chunks, status) in
                [(15, "200 OK"), (17, "413 Payload Too Large")]
            {
                let server = Server::start(FEW);
                let text = format!(
                    "POST /{path} HTTP/1.1\r\nhost: shop\r\n\
                     connection: close\r\n\
                     transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
                    chunk.repeat(chunks)
                );
                let (reader, mut writer) =
                    tokio::io::split(server.connect());
                let write = tokio::spawn(async move {
                    writer.write_all(text.as_bytes()).await
                });
                let client = tokio::io::join(reader, tokio::io::sink());
                assert_eq!(
                    talk(client, "").await,
                    format!("HTTP/1.1 {status}, closed"),
                    "{path}"
                );
                write.abort();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_for_a_place() {
        let server = Server::start(FEW);
        let _clients: Vec<_> =
            (0..5).map(|_| server.connect()).collect();
        sleep(Duration::from_secs(1)).await;
        let waiting = 5000 - server.clients.capacity();
        assert_eq!(waiting, 3);
        assert_eq!(talk(server.connect(), LAST).await, ANSWERED);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused() {
        let server = Server::start(Limits { refuse: true, ..FEW });
        let clients: Vec<_> =
            (0..2).map(|_| server.connect()).collect();
        let start = Instant::now();
        for _ in 0..3 {
            let mut refused = server.connect();
            assert_eq!(
                refused.read(&mut [0]).await.expect("an end"),
                0
            );
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(clients);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(talk(server.connect(), LAST).await, ANSWERED);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_handler_frees_its_place() {
        let server = Server::start(FEW);
        for _ in 0..5 {
            let broken = LAST.replace("price", "broken");
            assert_eq!(talk(server.connect(), &broken).await, "closed");
            assert_eq!(talk(server.connect(), LAST).await, ANSWERED);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_returns_and_drops_the_connections() {
        let server = Server::start(FEW);
        let slow = ASK.replace("price", "slow");
        let slow = talk(server.connect(), &slow);
        let stopped = async {
            sleep(Duration::from_secs(1)).await;
            server.stop.cancel();
            server.task.await.expect("no panic");
        };
        let (answer, ()) = tokio::join!(slow, stopped);
        assert_eq!(answer, "closed");
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_closes_all_connections() {
        let server = Server::start(FEW);
        let clients = [server.connect(), server.connect()];
        sleep(Duration::from_secs(1)).await;
        server.task.abort();
        hazards::no_task_left().await;
        for mut client in clients {
            assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        hazards::at_every_poll(async |cancel| {
            let (clients, listener) = mpsc::channel(10);
            let stop = CancellationToken::new();
            let mut talks = JoinSet::new();
            for _ in 0..3 {
                let (client, server) = duplex(4096);
                clients.try_send(Ok(server)).expect("room");
                talks.spawn(talk(client, LAST));
            }
            let done = stop.clone();
            let ended = tokio::spawn(async move {
                talks.join_all().await;
                done.cancel();
            });
            cancel.run(serve(listener, shop(), FEW, stop)).await;
            drop(clients);
            ended.await.expect("no panic");
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_everyone() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(talk(connect(&listener).await?, LAST));
        }
        let stop = CancellationToken::new();
        let answers = tokio::select! {
            answers = join_all(clients) => answers,
            () = serve(listener, shop(), FEW, stop) => unreachable!(),
        };
        assert!(answers.iter().all(|answer| answer == ANSWERED));
        Ok(())
    }
}
