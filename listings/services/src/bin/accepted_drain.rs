//! Drain connections that you accept yourself, and close the rest.

// ANCHOR: serve
use std::sync::Arc;

use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Serves until shutdown, then drains within the grace period. Returns
/// how many connections were closed at the deadline.
async fn serve(
    listener: TcpListener,
    shop: Router,
    stop: CancellationToken,
    grace: Duration,
) -> usize {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    http.http2().timer(TokioTimer::new());
    http.http2().keep_alive_interval(HEAD).keep_alive_timeout(HEAD);
    let watched = GracefulShutdown::new();
    let mut open = JoinSet::new();
    let all = accept(&listener, &http, shop, &watched, &mut open);
    stop.run_until_cancelled(all).await;
    drop(listener);
    let drained = timeout(grace, watched.shutdown()).await;
    while open.try_join_next().is_some() {}
    let left = if drained.is_ok() { 0 } else { open.len() };
    let _ = timeout(PAUSE, open.shutdown()).await;
    left
}
// ANCHOR_END: serve

// ANCHOR: accept
async fn accept(
    listener: &TcpListener,
    http: &Builder<TokioExecutor>,
    shop: Router,
    watched: &GracefulShutdown,
    open: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(PLACES));
    while let Ok(place) = places.clone().acquire_owned().await {
        let socket = match listener.accept().await {
            Ok((socket, _)) => TokioIo::new(socket),
            Err(error) => {
                tracing::error!(%error, "no connection accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        while open.try_join_next().is_some() {}
        let begun = CancellationToken::new();
        let (first, shop) = (begun.clone(), shop.clone());
        let service = service_fn(move |request| {
            first.cancel();
            TowerToHyperService::new(shop.clone()).call(request)
        });
        let (http, watcher) = (http.clone(), watched.watcher());
        open.spawn(async move {
            let served = http.serve_connection(socket, service);
            tokio::select! {
                served = watcher.watch(served) => {
                    if let Err(error) = served && begun.is_cancelled() {
                        eprintln!("a connection failed: {error}");
                    }
                }
                // `http` has no time limit until it knows the protocol.
                Err(_) = timeout(HEAD, begun.cancelled()) => {}
            }
            drop(place);
        });
    }
}
// ANCHOR_END: accept

/// How many connections may be open.
const PLACES: usize = if cfg!(test) { 3 } else { 1000 };

/// How long a request's head may take, or the answer to a ping.
const HEAD: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(100);

use std::{error::Error, net::SocketAddr};

use axum::{
    body::{Body, to_bytes},
    routing::get,
};
use http::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

type Failed = Box<dyn Error>;

/// A shop in which a payment takes as long as its bank.
#[derive(Clone, Default)]
struct Shop {
    begun: Arc<Notify>,
    bank: Arc<Notify>,
}

impl Shop {
    fn routes(&self) -> Router {
        let shop = self.clone();
        let pay = async move || {
            shop.begun.notify_one();
            shop.bank.notified().await;
            "paid"
        };
        Router::new()
            .route("/price", get(async || "12 euros"))
            .route("/pay", get(pay))
    }
}

async fn start(
    shop: &Shop,
    stop: &CancellationToken,
    grace: Duration,
) -> Result<(SocketAddr, JoinHandle<usize>), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let served = serve(listener, shop.routes(), stop.clone(), grace);
    Ok((address, tokio::spawn(served)))
}

type Sender = SendRequest<Body>;
type Connection = JoinHandle<hyper::Result<()>>;

/// An HTTP/2 connection.
async fn connect(
    address: SocketAddr,
) -> Result<(Sender, Connection), Failed> {
    let socket = TokioIo::new(TcpStream::connect(address).await?);
    let (sender, connection) =
        handshake(TokioExecutor::new(), socket).await?;
    Ok((sender, tokio::spawn(connection)))
}

async fn get_text(
    mut sender: Sender,
    path: &str,
) -> Result<String, Failed> {
    let request = Request::get(format!("http://shop{path}"));
    let request = request.body(Body::empty())?;
    let answer = sender.send_request(request).await?;
    let body = to_bytes(Body::new(answer.into_body()), 1000).await?;
    Ok(String::from_utf8(body.to_vec())?)
}

/// Sends a text over HTTP/1.
async fn send(
    address: SocketAddr,
    text: &str,
) -> Result<TcpStream, Failed> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    Ok(client)
}

const GRACE: Duration = Duration::from_secs(10);

// ANCHOR: clients
/// Stops while an HTTP/2 connection has a payment in flight.
async fn goaway() -> Result<(), Failed> {
    let (shop, stop) = (Shop::default(), CancellationToken::new());
    let (address, server) = start(&shop, &stop, GRACE).await?;
    let (sender, connection) = connect(address).await?;
    let paying = get_text(sender.clone(), "/pay");
    let refused = async {
        shop.begun.notified().await;
        stop.cancel();
        // After GOAWAY, the connection accepts no new request.
        loop {
            let answer = get_text(sender.clone(), "/price").await;
            if let Err(refused) = answer {
                shop.bank.notify_one();
                return refused;
            }
        }
    };
    let (paid, refused) = tokio::join!(paying, refused);
    println!("in flight: {}", paid?);
    println!("a new request: {refused}");
    println!("the connection ends: {:?}", connection.await?);
    println!("closed at the deadline: {}", server.await?);
    Ok(())
}
// ANCHOR_END: clients

/// Stops while one client has sent nothing, and another one half a
/// request.
async fn half_and_nothing() -> Result<(usize, String), Failed> {
    let (shop, stop) = (Shop::default(), CancellationToken::new());
    let grace = Duration::from_millis(100);
    let (address, server) = start(&shop, &stop, grace).await?;
    let mut nothing = send(address, "").await?;
    let _half = send(address, "GET /pri").await?;
    // After this answer, the server has accepted the others.
    let (sender, _connection) = connect(address).await?;
    get_text(sender.clone(), "/price").await?;
    get_text(sender, "/price").await?;
    stop.cancel();
    let left = server.await?;
    let mut seen = String::new();
    nothing.read_to_string(&mut seen).await?;
    Ok((left, seen))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    goaway().await?;
    let (left, _) = half_and_nothing().await?;
    println!("with half a request, closed at the deadline: {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::routing::post;

    use super::*;

    type Outcome = Result<(), Failed>;

    const SHORT: Duration = Duration::from_millis(100);

    /// The payment in flight is paid, over HTTP/1.
    #[tokio::test]
    async fn stop_answers_what_is_in_flight() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, GRACE).await?;
        let request = "GET /pay HTTP/1.1\r\nhost: shop\r\n\r\n";
        let mut client = send(address, request).await?;
        shop.begun.notified().await;
        stop.cancel();
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        shop.bank.notify_one();
        let mut seen = String::new();
        client.read_to_string(&mut seen).await?;
        assert!(seen.ends_with("paid"), "{seen}");
        assert_eq!(server.await?, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_does_not_wait_for_a_blocked_thread() -> Outcome {
        let block = async || {
            let block = || std::thread::sleep(30 * SHORT);
            tokio::task::block_in_place(block);
        };
        let shop = Router::new().route("/block", get(block));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let serving = serve(listener, shop, stop.clone(), SHORT);
        let serving = tokio::spawn(serving);
        let request = "GET /block HTTP/1.1\r\nhost: shop\r\n\r\n";
        let _client = send(address, request).await?;
        sleep(SHORT).await;
        stop.cancel();
        assert_eq!(timeout(20 * SHORT, serving).await??, 1);
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_clients_ends_with_the_grace_period() -> Outcome
    {
        let (left, seen) = half_and_nothing().await?;
        assert_eq!((left, seen.as_str()), (1, ""));
        Ok(())
    }

    /// Whatever a client sends first, it gets no more than `HEAD`. "P" may
    /// begin POST, or HTTP/2.
    #[tokio::test]
    async fn silence_before_the_first_request_is_cut_off() -> Outcome {
        for sent in
            ["", "P", "GET /pri", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        {
            let (shop, stop) =
                (Shop::default(), CancellationToken::new());
            let (address, server) = start(&shop, &stop, GRACE).await?;
            let mut client = send(address, sent).await?;
            tokio::time::pause();
            let mut seen = Vec::new();
            let read = client.read_to_end(&mut seen);
            assert!(timeout(5 * HEAD, read).await.is_ok(), "{sent:?}");
            tokio::time::resume();
            stop.cancel();
            assert_eq!(server.await?, 0);
        }
        Ok(())
    }

    /// Only heads have a time limit, as the page says.
    #[tokio::test]
    async fn silence_in_a_body_keeps_the_place() -> Outcome {
        let begun = Arc::new(Notify::new());
        let begins = Arc::clone(&begun);
        let order = async move |request: Request<Body>| {
            begins.notify_one();
            let _ = to_bytes(request.into_body(), 1000).await;
        };
        let shop = Shop::default();
        let shop = shop.routes().route("/order", post(order));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let serving = serve(listener, shop, stop.clone(), SHORT);
        let server = tokio::spawn(serving);
        let half = "POST /order HTTP/1.1\r\nhost: shop\r\n\
                    content-length: 9\r\n\r\n";
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(send(address, half).await?);
            begun.notified().await;
        }
        let price = "GET /price HTTP/1.1\r\nhost: shop\r\n\r\n";
        let mut client = send(address, price).await?;
        tokio::time::pause();
        let waits = timeout(100 * HEAD, client.read_u8()).await;
        assert!(waits.is_err());
        tokio::time::resume();
        stop.cancel();
        assert_eq!(server.await?, PLACES);
        Ok(())
    }

    /// An HTTP/2 client that gets its answer, and answers no ping.
    #[tokio::test]
    async fn silence_after_a_request_is_cut_off() -> Outcome {
        const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
        const HEADERS: &[u8] = b"\0\0\x10\x01\x05\0\0\0\x01\
            \x82\x86\x04\x06/price\x41\x04shop";
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, GRACE).await?;
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut client = send(address, preface).await?;
        client.write_all(&[SETTINGS, HEADERS].concat()).await?;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("12 euros") {
            assert_ne!(client.read_buf(&mut seen).await?, 0);
        }
        tokio::time::pause();
        // The ping comes after `HEAD`, and its answer doesn't.
        let read = client.read_to_end(&mut seen);
        timeout(5 * HEAD / 2, read).await??;
        tokio::time::resume();
        stop.cancel();
        assert_eq!(server.await?, 0);
        Ok(())
    }

    /// The bank never answers: the deadline cuts its clients off.
    #[tokio::test]
    async fn slow_payments_are_cut_off() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, SHORT).await?;
        let (sender, _connection) = connect(address).await?;
        let paying = tokio::spawn(async move {
            get_text(sender, "/pay").await.is_err()
        });
        shop.begun.notified().await;
        stop.cancel();
        assert_eq!(server.await?, 1);
        assert!(paying.await?);
        // The handler's future is dropped, too.
        while Arc::strong_count(&shop.bank) > 1 {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Dropped, the server closes its connections.
    #[tokio::test]
    async fn cancel_closes_the_listener() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, GRACE).await?;
        let request = "GET /pay HTTP/1.1\r\nhost: shop\r\n\r\n";
        let mut client = send(address, request).await?;
        shop.begun.notified().await;
        server.abort();
        let mut seen = Vec::new();
        let _ = client.read_to_end(&mut seen).await;
        assert!(seen.is_empty());
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        hazards::no_task_left().await;
        Ok(())
    }

    /// More handlers panic than there are places.
    #[tokio::test]
    async fn panic_of_a_handler_ends_only_its_connection() -> Outcome {
        let (listener, stop) = (
            TcpListener::bind("127.0.0.1:0").await?,
            CancellationToken::new(),
        );
        let address = listener.local_addr()?;
        let bug = async || -> &'static str {
            std::panic::resume_unwind(Box::new("a bug"))
        };
        let shop = Shop::default().routes().route("/bug", get(bug));
        let server =
            tokio::spawn(serve(listener, shop, stop.clone(), GRACE));
        for _ in 0..2 * PLACES {
            let request = "GET /bug HTTP/1.1\r\nhost: shop\r\n\r\n";
            let mut client = send(address, request).await?;
            let mut seen = Vec::new();
            client.read_to_end(&mut seen).await?;
            assert!(seen.is_empty());
        }
        let (sender, _connection) = connect(address).await?;
        assert!(get_text(sender.clone(), "/bug").await.is_err());
        assert_eq!(get_text(sender, "/price").await?, "12 euros");
        stop.cancel();
        assert_eq!(server.await?, 0);
        Ok(())
    }

    /// One client more than places: it waits for a place.
    #[tokio::test]
    async fn overload_of_connections_waits() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, GRACE).await?;
        let mut held = Vec::new();
        for _ in 0..PLACES {
            let (sender, _) = connect(address).await?;
            get_text(sender.clone(), "/price").await?;
            held.push(sender);
        }
        let (sender, _) = connect(address).await?;
        let mut answer = std::pin::pin!(get_text(sender, "/price"));
        assert!(timeout(SHORT, &mut answer).await.is_err());
        held.pop();
        assert_eq!(timeout(GRACE, answer).await??, "12 euros");
        stop.cancel();
        assert_eq!(server.await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_client_and_stopped_before() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        stop.cancel();
        let (_, server) = start(&shop, &stop, GRACE).await?;
        assert_eq!(server.await?, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_drain_all_connections() -> Outcome {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) = start(&shop, &stop, GRACE).await?;
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            let (sender, _) = connect(address).await?;
            clients.spawn(async move {
                get_text(sender, "/price").await.is_ok()
            });
        }
        assert_eq!(clients.join_all().await, [true; 20]);
        stop.cancel();
        assert_eq!(server.await?, 0);
        Ok(())
    }
}
