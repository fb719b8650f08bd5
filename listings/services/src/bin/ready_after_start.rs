//! Listen first, then start the rest, and report "ready" at the end.

// ANCHOR: probes
use std::sync::{Arc, OnceLock};

use axum::{Router, extract::State, http::StatusCode, routing::get};

/// What the handlers need. It's empty until startup is complete.
type Started = Arc<OnceLock<Shop>>;

fn routes(started: Started) -> Router {
    Router::new()
        .route("/live", get(StatusCode::OK))
        .route("/ready", get(ready))
        .route("/price", get(price))
        .with_state(started)
}

/// The readiness probe.
async fn ready(State(started): State<Started>) -> StatusCode {
    match started.get() {
        Some(_) => StatusCode::OK,
        None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A request that comes too early is refused.
async fn price(
    State(started): State<Started>,
) -> Result<String, StatusCode> {
    let shop = started.get().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(shop.price.clone())
}
// ANCHOR_END: probes

struct Shop {
    price: String,
}

// ANCHOR: run
use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Serves until shutdown. Returns an error if startup fails or takes
/// too long, or if clients are still connected after the grace period.
async fn run(
    listener: TcpListener,
    start: impl Future<Output = anyhow::Result<Shop>> + Send + 'static,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let started = Started::default();
    let server = axum::serve(listener, routes(started.clone()))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    // As a task, it can be aborted, and a panic becomes an error.
    let start = AbortOnDropHandle::new(tokio::spawn(start));
    let starting = async {
        let start = timeout(LONGEST_START, start);
        if let Some(shop) = stop.run_until_cancelled(start).await {
            let shop =
                shop.context("the start takes too long")???;
            started.get_or_init(|| shop);
        }
        anyhow::Ok(())
    };
    let served = async { server.await.context("server") };
    tokio::select! {
        biased;
        ended = async { tokio::try_join!(starting, served) } => {
            ended.map(|((), ())| ())
        }
        () = async { stop.cancelled().await; sleep(GRACE).await } => {
            bail!("clients are still connected")
        }
    }
}
// ANCHOR_END: run

const LONGEST_START: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);

// ANCHOR: start
/// Everything that must happen before the first request. An error names
/// its step. A step that blocks must use `spawn_blocking`.
async fn start_shop(mut database: Database) -> anyhow::Result<Shop> {
    database.migrate().await.context("migrations")?;
    let price = database.load_price().await.context("prices")?;
    Ok(Shop { price })
}
// ANCHOR_END: start

use std::{io, net::SocketAddr, time::Duration};

use tokio::sync::oneshot;

/// Its migrations take as long as the other side wants.
struct Database {
    migrated: oneshot::Receiver<io::Result<()>>,
}

impl Database {
    async fn migrate(&mut self) -> io::Result<()> {
        (&mut self.migrated).await.map_err(io::Error::other)?
    }

    async fn load_price(&self) -> io::Result<String> {
        Ok("12 euros".to_owned())
    }
}

/// The status of an answer.
async fn status(
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<u16> {
    let answer =
        reqwest::get(format!("http://{address}/{path}")).await?;
    Ok(answer.status().as_u16())
}

async fn answers(address: SocketAddr) -> anyhow::Result<String> {
    let mut answers = Vec::new();
    for path in ["live", "ready", "price"] {
        answers
            .push(format!("{path} {}", status(address, path).await?));
    }
    Ok(answers.join(", "))
}

type Service = AbortOnDropHandle<anyhow::Result<()>>;
type Migrated = oneshot::Sender<io::Result<()>>;

/// A service that waits for its migrations.
async fn service(
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, Migrated, Service)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, migrated) = oneshot::channel();
    let start = start_shop(Database { migrated });
    let service = tokio::spawn(run(listener, start, stop.clone()));
    Ok((address, end, AbortOnDropHandle::new(service)))
}

async fn until_ready(address: SocketAddr) -> anyhow::Result<()> {
    while status(address, "ready").await? != 200 {
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (address, migrated, running) = service(&stop).await?;
    println!("migrating: {}", answers(address).await?);
    migrated.send(Ok(())).ok().context("the service has ended")?;
    until_ready(address).await?;
    println!("started: {}", answers(address).await?);
    stop.cancel();
    running.await??;

    let (_, migrated, running) =
        service(&CancellationToken::new()).await?;
    drop(migrated);
    if let Err(error) = running.await? {
        println!("failed: {error:#}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn silence_of_a_step_answers_the_liveness_probe() {
        let stop = CancellationToken::new();
        let (address, _migrated, _running) =
            service(&stop).await.expect("a port");
        let answers = answers(address).await.expect("answers");
        assert_eq!(answers, "live 200, ready 503, price 503");
    }

    /// With `spawn_blocking`, a step that blocks doesn't delay a probe.
    /// Otherwise, it could block the worker that waits for all sockets.
    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn slow_step_that_blocks_answers_the_liveness_probe() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (begun, has_begun) = oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel();
        let start = async move {
            // As after connecting, an event causes the next poll.
            sleep(Duration::from_millis(50)).await;
            begun.send(()).ok().context("nobody waits")?;
            let blocks = move || ended.recv_timeout(2 * SOON);
            let price = tokio::task::spawn_blocking(blocks).await??;
            Ok(Shop { price })
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(listener, start, stop.clone()));
        has_begun.await.expect("it starts");
        // On its own thread, as this runtime's timers may be late, too.
        let asked = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut client = std::net::TcpStream::connect(address)?;
            client.set_read_timeout(Some(SOON))?;
            client
                .write_all(b"GET /live HTTP/1.1\r\nhost: a\r\n\r\n")?;
            let mut answer = [0; 15];
            client.read_exact(&mut answer)?;
            io::Result::Ok(answer)
        });
        let answer = asked.join().expect("no panic");
        assert_eq!(&answer.expect("an answer"), b"HTTP/1.1 200 OK");
        end.send("12 euros".to_owned()).expect("it waits");
        until_ready(address).await.expect("ready");
        stop.cancel();
        assert!(running.await.expect("no panic").is_ok());
    }

    #[tokio::test]
    async fn panic_of_a_step_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let start =
            async { std::panic::resume_unwind(Box::new("no table")) };
        let stop = CancellationToken::new();
        let ran = run(listener.expect("a port"), start, stop).await;
        let error = ran.expect_err("a panic").to_string();
        assert!(error.contains("no table"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_start_ends_with_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let start = std::future::pending();
        let stop = CancellationToken::new();
        let ran = run(listener.expect("a port"), start, stop);
        let error = ran.await.expect_err("too slow").to_string();
        assert_eq!(error, "the start takes too long");
    }

    #[tokio::test]
    async fn failure_of_a_step_ends_the_service() {
        let stop = CancellationToken::new();
        let (address, migrated, running) =
            service(&stop).await.expect("a port");
        let refused = io::Error::other("relation exists");
        migrated.send(Err(refused)).expect("it waits");
        let error =
            running.await.expect("no panic").expect_err("failed");
        assert_eq!(format!("{error:#}"), "migrations: relation exists");
        assert!(status(address, "live").await.is_err());
    }

    #[tokio::test]
    async fn stop_before_and_after_the_start() {
        for ready in [false, true] {
            let stop = CancellationToken::new();
            let (address, migrated, running) =
                service(&stop).await.expect("a port");
            let migrated = match ready {
                true => {
                    migrated.send(Ok(())).expect("it waits");
                    until_ready(address).await.expect("ready");
                    None
                }
                false => Some(migrated),
            };
            stop.cancel();
            let ended = hazards::within(SOON, running).await;
            assert!(ended.expect("no panic").is_ok());
            drop(migrated);
        }
    }

    /// Half a request doesn't hold up the stop for longer than the grace
    /// period.
    #[tokio::test]
    async fn stop_with_a_silent_client_ends_with_an_error() {
        use tokio::io::AsyncWriteExt;
        let stop = CancellationToken::new();
        let (address, migrated, running) =
            service(&stop).await.expect("a port");
        migrated.send(Ok(())).expect("it waits");
        until_ready(address).await.expect("ready");
        let client = tokio::net::TcpStream::connect(address).await;
        let mut client = client.expect("it listens");
        client.write_all(b"GET /price HT").await.expect("sent");
        // The server has read it when it answers a later client.
        status(address, "live").await.expect("an answer");
        stop.cancel();
        tokio::time::pause();
        let stopped = tokio::time::Instant::now();
        let ended = running.await.expect("no panic");
        assert!(stopped.elapsed() < 2 * GRACE);
        let error = ended.expect_err("still connected").to_string();
        assert_eq!(error, "clients are still connected");
    }

    #[tokio::test]
    async fn cancel_and_owner_gone_close_the_listener() {
        let stop = CancellationToken::new();
        let (address, _migrated, running) =
            service(&stop).await.expect("a port");
        assert_eq!(status(address, "live").await.expect("alive"), 200);
        drop(running);
        while std::net::TcpStream::connect(address).is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn owner_gone_leaves_no_task() {
        let stop = CancellationToken::new();
        let (_, _migrated, running) =
            service(&stop).await.expect("a port");
        // The start has begun, in its own task.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        drop(running);
        // axum has a task of its own, which waits for the stop.
        stop.cancel();
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_of_clients_see_either_state() {
        let stop = CancellationToken::new();
        let (address, migrated, running) =
            service(&stop).await.expect("a port");
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..8 {
            clients.spawn(async move {
                // Once ready, it stays ready.
                let mut was = 503;
                while was != 200 {
                    was =
                        status(address, "ready").await.expect("alive");
                }
                status(address, "price").await.expect("an answer")
            });
        }
        migrated.send(Ok(())).expect("it waits");
        assert_eq!(clients.join_all().await, [200; 8]);
        stop.cancel();
        assert!(running.await.expect("no panic").is_ok());
    }
}
