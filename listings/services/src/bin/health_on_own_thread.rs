//! Answer health checks while every worker of the service is busy.

// ANCHOR: heartbeat
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// When the service's runtime last ran a task.
#[derive(Clone)]
struct Heartbeat {
    last: Arc<Mutex<Instant>>,
    longest: Duration,
}

impl Heartbeat {
    /// Runs as a task of the service, until that runtime is dropped.
    async fn beat(self) {
        let often = (self.longest / 10).max(Duration::from_millis(1));
        let mut ticks = tokio::time::interval(often);
        loop {
            ticks.tick().await;
            *self.last() = Instant::now();
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handler. A busy service is healthy, and a stuck one isn't.
async fn live(State(beat): State<Heartbeat>) -> (StatusCode, String) {
    let age = beat.last().elapsed();
    if age <= beat.longest {
        return (StatusCode::OK, "ok".to_owned());
    }
    let text =
        format!("the last heartbeat was {} s ago", age.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, text)
}
// ANCHOR_END: heartbeat

// ANCHOR: thread
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio_util::sync::CancellationToken;

/// Serves health checks on a thread and a runtime of their own, until
/// `stop`, which also cuts off the connections that are open.
fn health_thread(
    listener: std::net::TcpListener,
    heartbeat: Heartbeat,
    stop: CancellationToken,
) -> io::Result<JoinHandle<io::Result<()>>> {
    listener.set_nonblocking(true)?;
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let routes = Router::new()
                .route("/live", get(live))
                .with_state(heartbeat);
            stop.run_until_cancelled(accept(listener, routes)).await;
            Ok(())
        })
    };
    thread::Builder::new().name("health".into()).spawn(serve)
}
// ANCHOR_END: thread

// ANCHOR: accept
/// Silent clients lose their places after `LIMIT`, so they can't use up
/// the process's file descriptors. Until then, a probe may wait.
const PLACES: usize = 64;
const LIMIT: Duration = Duration::from_secs(2);

async fn accept(listener: TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(PLACES));
    loop {
        let place = places.clone().acquire_owned().await;
        let Ok((socket, _)) = listener.accept().await else {
            // For example, there are too many open files.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let routes = TowerToHyperService::new(routes.clone());
        let served = http1::Builder::new()
            .keep_alive(false)
            .serve_connection(TokioIo::new(socket), routes);
        tokio::spawn(async move {
            let _place = place;
            timeout(LIMIT, served).await
        });
    }
}
// ANCHOR_END: accept

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Asks as a load balancer does. Returns the code of the status.
fn probe(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let request =
        "GET /live HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// A service with one worker, which nothing blocks yet.
fn service() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

// ANCHOR: main
/// Blocks the service's only worker, and asks for its health.
fn health_while_blocked(longest: Duration) -> io::Result<String> {
    let service = service()?;
    let last = Arc::new(Mutex::new(Instant::now()));
    let heartbeat = Heartbeat { last, longest };
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let health =
        health_thread(listener, heartbeat.clone(), stop.clone())?;

    service.spawn(heartbeat.beat());
    let (started, start) = mpsc::channel();
    let (release, blocked) = mpsc::channel::<()>();
    service.spawn(async move {
        // If this fails, the function has already returned an error.
        let _ = started.send(());
        let _ = blocked.recv(); // Wrong: this blocks the worker.
    });
    start.recv().map_err(io::Error::other)?;
    let code = probe(address);

    drop(release);
    stop.cancel();
    health.join().map_err(|_| io::Error::other("a panic"))??;
    code
}
// ANCHOR_END: main

fn main() -> io::Result<()> {
    let longest = Duration::from_secs(60);
    println!("busy: {}", health_while_blocked(longest)?);
    let longest = Duration::from_nanos(10);
    println!("stuck for too long: {}", health_while_blocked(longest)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn heartbeat(longest: Duration) -> Heartbeat {
        let last = Arc::new(Mutex::new(Instant::now()));
        Heartbeat { last, longest }
    }

    /// Runs `test` beside a health thread, and stops that thread.
    fn with_health(
        heartbeat: Heartbeat,
        test: impl FnOnce(SocketAddr),
    ) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let health = health_thread(listener, heartbeat, stop.clone());
        test(address);
        stop.cancel();
        let ended = health.expect("a thread").join();
        ended.expect("no panic").expect("it serves");
    }

    fn code(address: SocketAddr) -> String {
        probe(address).expect("an answer")
    }

    #[test]
    fn threads_are_all_blocked_and_it_answers() -> io::Result<()> {
        assert_eq!(health_while_blocked(LONG)?, "200");
        Ok(())
    }

    #[test]
    fn clock_shows_that_it_is_stuck() -> io::Result<()> {
        let short = Duration::from_nanos(1);
        assert_eq!(health_while_blocked(short)?, "503");
        Ok(())
    }

    #[test]
    fn silence_of_clients_holds_up_nobody() {
        with_health(heartbeat(LONG), |address| {
            let silent: Vec<_> = (0..50)
                .map(|_| TcpStream::connect(address).expect("accepted"))
                .collect();
            assert_eq!(code(address), "200");
            drop(silent);
        });
    }

    /// As many as there are places, and then again. Each connection is
    /// closed, although its client doesn't close it.
    #[test]
    fn overload_of_silent_clients_is_over_soon() {
        with_health(heartbeat(LONG), |address| {
            let silent: Vec<_> = (0..2 * PLACES)
                .map(|_| TcpStream::connect(address).expect("accepted"))
                .collect();
            assert_eq!(code(address), "200");
            for mut socket in silent {
                let limit = Some(Duration::from_secs(30));
                socket.set_read_timeout(limit).expect("not zero");
                let read = socket.read(&mut [0]).expect("it's closed");
                assert_eq!(read, 0);
            }
        });
    }

    #[test]
    fn stop_does_not_wait_for_open_connections() {
        let mut silent = None;
        with_health(heartbeat(LONG), |address| {
            silent =
                Some(TcpStream::connect(address).expect("accepted"));
            assert_eq!(code(address), "200");
        });
        assert!(silent.is_some());
    }

    #[test]
    fn again_answers_each_probe() {
        with_health(heartbeat(LONG), |address| {
            for _ in 0..3 {
                assert_eq!(code(address), "200");
            }
        });
    }

    #[test]
    fn owner_gone_stops_the_heartbeat() -> io::Result<()> {
        let heartbeat = heartbeat(Duration::from_millis(20));
        let service = service()?;
        service.spawn(heartbeat.clone().beat());
        drop(service);
        thread::sleep(Duration::from_millis(40));
        with_health(heartbeat, |address| {
            assert_eq!(code(address), "503");
        });
        Ok(())
    }

    #[test]
    fn panic_that_poisons_the_lock_is_survived() {
        let heartbeat = heartbeat(LONG);
        let poisons = heartbeat.clone();
        let ended = thread::spawn(move || {
            let _last = poisons.last.lock();
            std::panic::resume_unwind(Box::new("no memory"));
        });
        assert!(ended.join().is_err());
        with_health(heartbeat, |address| {
            assert_eq!(code(address), "200");
        });
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_interval() {
        let beating = heartbeat(Duration::ZERO).beat();
        let limit = Duration::from_secs(1);
        assert!(tokio::time::timeout(limit, beating).await.is_err());
    }
}
