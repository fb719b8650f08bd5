//! Give each connection its own task and a timeout.
//! No error stops the accept loop.

// ANCHOR: serve
/// Serves each connection in its own task until `stop` is canceled,
/// and then waits for the remaining tasks, at most `LIMIT`. If this
/// is dropped, the tasks are aborted.
async fn serve<L: Listen>(mut listener: L, stop: CancellationToken) {
    let mut clients = JoinMap::new();
    let mut number = 0_u64;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((client, ended)) = clients.join_next() => {
                report(client, ended);
                continue;
            }
            // Further clients wait in the system's backlog.
            accepted = listener.accept(), if clients.len() < PLACES => {
                accepted
            }
        };
        number += 1;
        match accepted {
            Ok(socket) => clients.spawn(number, answer(socket)),
            Err(error) => {
                log(format_args!(
                    "cannot accept client {number}: {error}"
                ));
                if !concerns_one_client(&error) {
                    // It would recur immediately.
                    stop.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
    }
    drop(listener); // From now on, connections are refused.
    while let Some((client, ended)) = clients.join_next().await {
        report(client, ended);
    }
}
// ANCHOR_END: serve

// ANCHOR: answer
/// Answers one request, with a timeout because a client may be silent.
async fn answer(mut client: impl Socket) -> io::Result<()> {
    let answered = timeout(LIMIT, async {
        let mut request = [0; 4];
        client.read_exact(&mut request).await?;
        if &request == b"boom" {
            panic!("there is no answer to boom");
        }
        client.write_all(b"pong").await
    });
    answered.await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

/// These end one connection, and the next `accept` may well succeed.
/// "Too many open files" isn't one of them.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn report(client: u64, ended: Result<io::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log(format_args!("client {client}: {error}")),
        Err(panic) => log(format_args!("client {client}: {panic}")),
    }
}

/// If stdout is a closed pipe, a `println!` panic would end the loop.
fn log(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
// ANCHOR_END: answer

use std::{
    fmt,
    io::{self, Write as _},
};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
        DuplexStream,
    },
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinError,
    time::{Duration, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::JoinMap};

// ANCHOR: listen
const PLACES: usize = 100;
const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// Accepts connections. A trait, so that a test can make it fail.
trait Listen: Send {
    type Socket: Socket;

    /// Dropped while it waits, it loses no connection.
    fn accept(
        &mut self,
    ) -> impl Future<Output = io::Result<Self::Socket>> + Send;
}

impl Listen for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        Ok(TcpListener::accept(self).await?.0)
    }
}
// ANCHOR_END: listen

/// What `accept` returns: "too many open files" is an error of one
/// call, and a later one may succeed.
type Accepted = io::Result<DuplexStream>;

/// Replaces a listener, with errors that the test chooses.
impl Listen for mpsc::Receiver<Accepted> {
    type Socket = DuplexStream;

    async fn accept(&mut self) -> Accepted {
        match self.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }
}

/// Five clients: the second sends half a request, and instead of the
/// fourth, there is an error.
async fn clients(accept: mpsc::Sender<Accepted>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for number in 1..=5 {
        let (mut client, server) = tokio::io::duplex(64);
        let accepted = match number {
            4 => {
                drop(server);
                Err(io::Error::other("too many open files"))
            }
            _ => Ok(server),
        };
        if accept.send(accepted).await.is_err() {
            seen.push("not accepted");
            continue;
        }
        let request: &[u8] = if number == 2 { b"pi" } else { b"ping" };
        let asked = async {
            client.write_all(request).await?;
            client.shutdown().await?;
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await
        };
        seen.push(if asked.await.is_ok() { "pong" } else { "failed" });
    }
    seen
}

async fn run() -> Result<Vec<&'static str>, JoinError> {
    let (accept, accepted) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(accepted, stop.clone()));
    let seen = clients(accept).await;
    stop.cancel();
    server.await?;
    Ok(seen)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    for (client, seen) in (1..).zip(run().await?) {
        println!("client {client}: {seen}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// A server with its listener's other end.
    fn start() -> (
        mpsc::Sender<Accepted>,
        CancellationToken,
        tokio::task::JoinHandle<()>,
    ) {
        let (accept, accepted) = mpsc::channel(1000);
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(accepted, stop.clone()));
        (accept, stop, server)
    }

    async fn connect(accept: &mpsc::Sender<Accepted>) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64);
        accept.send(Ok(server)).await.expect("it accepts");
        client
    }

    async fn ask(
        accept: &mpsc::Sender<Accepted>,
        request: &[u8; 4],
    ) -> io::Result<()> {
        let mut client = connect(accept).await;
        client.write_all(request).await?;
        client.read_exact(&mut [0; 4]).await?;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_client_leaves_the_others() {
        let expected = ["pong", "failed", "pong", "failed", "pong"];
        assert_eq!(run().await.expect("no panic"), expected);
    }

    /// Serves in a child process whose parent has closed the pipes.
    #[tokio::test]
    async fn a_server_without_a_reader() {
        if !hazards::is_unread() {
            return; // This isn't the child process.
        }
        let seen = run().await.expect("no panic");
        let expected = ["pong", "failed", "pong", "failed", "pong"];
        std::process::exit(i32::from(seen != expected));
    }

    #[test]
    fn failure_of_stdout_does_not_end_the_loop() {
        let test = "a_server_without_a_reader";
        hazards::succeeds_unread(module_path!(), test);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_accept_pauses_only_if_it_would_come_back() {
        let (accept, _stop, _server) = start();
        let start = Instant::now();
        for _ in 0..100 {
            let reset = io::ErrorKind::ConnectionReset.into();
            accept.send(Err(reset)).await.expect("it accepts");
        }
        ask(&accept, b"ping").await.expect("an answer");
        assert_eq!(start.elapsed(), Duration::ZERO);
        let full = io::Error::other("too many open files");
        accept.send(Err(full)).await.expect("it accepts");
        ask(&accept, b"ping").await.expect("an answer");
        assert_eq!(start.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_client_does_not_delay_the_next() {
        let (accept, _stop, _server) = start();
        let mut silent = connect(&accept).await;
        let start = Instant::now();
        ask(&accept, b"ping").await.expect("an answer");
        assert_eq!(start.elapsed(), Duration::ZERO);
        // It's disconnected when its time is up.
        let ended = silent.read(&mut [0; 4]).await;
        assert_eq!(ended.expect("a clean end"), 0);
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_have_one_limit_for_the_whole_request() {
        let (accept, _stop, _server) = start();
        let mut client = connect(&accept).await;
        let start = Instant::now();
        while client.write_all(b"p").await.is_ok() {
            sleep(Duration::from_secs(2)).await;
        }
        assert!(start.elapsed() <= LIMIT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_in_the_backlog() {
        let (accept, _stop, _server) = start();
        let mut silent = Vec::new();
        for _ in 0..2 * PLACES {
            silent.push(connect(&accept).await);
        }
        let start = Instant::now();
        ask(&accept, b"ping").await.expect("an answer");
        // Two rounds of silent clients were before it.
        assert_eq!(start.elapsed(), LIMIT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_connection_leaves_the_others() {
        let (accept, stop, server) = start();
        for _ in 0..3 {
            assert!(ask(&accept, b"boom").await.is_err());
            ask(&accept, b"ping").await.expect("an answer");
        }
        stop.cancel();
        server.await.expect("the server doesn't panic");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_a_silent_client_no_longer_than_its_limit() {
        let (accept, stop, server) = start();
        let _silent = connect(&accept).await;
        sleep(Duration::from_millis(1)).await;
        let start = Instant::now();
        stop.cancel();
        server.await.expect("no panic");
        assert!(start.elapsed() <= LIMIT);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_clients_while_the_others_finish() {
        let (accept, stop, server) = start();
        let _silent = connect(&accept).await;
        sleep(Duration::from_millis(1)).await;
        stop.cancel();
        sleep(Duration::from_millis(1)).await;
        assert!(accept.is_closed());
        assert!(!server.is_finished());
        server.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_lets_a_request_that_has_begun_finish() {
        let (accept, stop, server) = start();
        let mut client = connect(&accept).await;
        client.write_all(b"pi").await.expect("room for it");
        sleep(Duration::from_millis(1)).await;
        stop.cancel();
        sleep(Duration::from_millis(1)).await;
        client.write_all(b"ng").await.expect("it is still read");
        client.read_exact(&mut [0; 4]).await.expect("an answer");
        server.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_does_not_wait_for_the_pause() {
        let (accept, stop, server) = start();
        let full = io::Error::other("too many open files");
        accept.send(Err(full)).await.expect("it accepts");
        sleep(PAUSE / 2).await;
        let start = Instant::now();
        stop.cancel();
        server.await.expect("no panic");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_connection_behind() {
        hazards::at_every_poll(async |cancel| {
            let (accept, accepted) = mpsc::channel(8);
            let stop = CancellationToken::new();
            let _one = connect(&accept).await;
            let mut other = connect(&accept).await;
            other.write_all(b"ping").await.expect("room for it");
            let stops = async {
                sleep(Duration::from_secs(1)).await;
                stop.cancel();
            };
            let served = serve(accepted, stop.clone());
            cancel.run(async { tokio::join!(served, stops) }).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_takes_the_connections_along() {
        let (accept, _stop, server) = start();
        let _silent = connect(&accept).await;
        sleep(Duration::from_millis(1)).await;
        server.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_empty_and_a_long_request() {
        let (accept, _stop, _server) = start();
        let empty = connect(&accept).await;
        drop(empty);
        let mut long = connect(&accept).await;
        long.write_all(b"ping and more").await.expect("room for it");
        long.read_exact(&mut [0; 4]).await.expect("an answer");
        ask(&accept, b"ping").await.expect("an answer");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_serve_over_real_sockets() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, stop.clone()));
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..200 {
            clients.spawn(async move {
                let mut client = TcpStream::connect(address).await?;
                client.write_all(b"ping").await?;
                client.read_exact(&mut [0; 4]).await
            });
        }
        for asked in clients.join_all().await {
            assert_eq!(asked?, 4);
        }
        stop.cancel();
        server.await.map_err(io::Error::other)
    }
}
