//! Stop a server: answer the requests in flight, within a grace period.

// ANCHOR: serve
use std::io;

use axum::Router;
use tokio::{
    net::TcpListener,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Serves until the token is canceled, then drains within the grace
/// period. Returns whether all connections have ended; any others are
/// still tasks of the runtime, and end with it. If this future is
/// dropped, the listener is closed, but the connections stay open.
async fn serve(
    listener: TcpListener,
    shop: Router,
    stop: CancellationToken,
    grace: Duration,
) -> io::Result<bool> {
    let served = axum::serve(listener, shop)
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let out_of_time = async {
        stop.cancelled().await;
        sleep(grace).await;
    };
    tokio::select! {
        biased;
        served = served.into_future() => served.map(|()| true),
        () = out_of_time => Ok(false),
    }
}
// ANCHOR_END: serve

use std::{net::SocketAddr, sync::Arc};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

/// Sends a text on a new connection.
async fn send(
    address: SocketAddr,
    text: &str,
) -> io::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    Ok(client)
}

/// Sends a complete request.
async fn ask(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
    send(address, &request).await
}

/// Reads until the answer has arrived.
async fn until(client: &mut TcpStream, answer: &str) -> io::Result<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(answer.as_bytes()) {
        if client.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Reads until the connection is closed, and returns the last line.
async fn rest(client: &mut TcpStream) -> io::Result<String> {
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    Ok(text.lines().last().unwrap_or("nothing").to_owned())
}

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

type Server = JoinHandle<io::Result<bool>>;

/// Starts a server, and returns where it listens.
async fn start(
    shop: Router,
    stop: &CancellationToken,
    grace: Duration,
) -> io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let served = serve(listener, shop, stop.clone(), grace);
    Ok((address, tokio::spawn(served)))
}

/// Waits until new connections are refused.
async fn refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// What each client got, and whether all requests were answered.
struct Seen {
    idle: String,
    in_flight: String,
    ended: bool,
}

// ANCHOR: clients
/// One client has its answer and keeps its connection open; another
/// client waits for the bank.
async fn stop_under_load() -> io::Result<Seen> {
    let (shop, stop) = (Shop::default(), CancellationToken::new());
    let grace = Duration::from_secs(10);
    let (address, server) = start(shop.routes(), &stop, grace).await?;
    let mut idle = ask(address, "/price").await?;
    until(&mut idle, "12 euros").await?;
    let mut in_flight = ask(address, "/pay").await?;
    shop.begun.notified().await;

    stop.cancel();
    let idle = rest(&mut idle).await?;
    refused(address).await;
    shop.bank.notify_one();
    let in_flight = rest(&mut in_flight).await?;
    Ok(Seen { idle, in_flight, ended: server.await?? })
}
// ANCHOR_END: clients

// ANCHOR: half
/// One client sends half a request, and never the rest.
async fn stop_at_half_a_request() -> io::Result<bool> {
    let (shop, stop) = (Shop::default(), CancellationToken::new());
    let grace = Duration::from_millis(300);
    let (address, server) = start(shop.routes(), &stop, grace).await?;
    let _half = send(address, "GET /pri").await?;
    // After these answers, the server has read the half request.
    for _ in 0..2 {
        let mut client = ask(address, "/price").await?;
        until(&mut client, "12 euros").await?;
    }
    stop.cancel();
    server.await?
}
// ANCHOR_END: half

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let seen = stop_under_load().await?;
    println!("idle connection: closed; it got {} more", seen.idle);
    println!("new connection: refused");
    println!("in flight: {}", seen.in_flight);
    println!("all connections have ended: {}", seen.ended);
    let ended = stop_at_half_a_request().await?;
    println!("all have ended, with a half-sent request: {ended}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn stop_answers_what_is_in_flight() -> io::Result<()> {
        let seen = stop_under_load().await?;
        assert_eq!(seen.idle, "nothing");
        assert_eq!(seen.in_flight, "paid");
        assert!(seen.ended);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_what_is_in_flight() -> io::Result<()> {
        for _ in 0..20 {
            assert_eq!(stop_under_load().await?.in_flight, "paid");
        }
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_client_ends_with_the_grace_period()
    -> io::Result<()> {
        let ended = timeout(LONG, stop_at_half_a_request()).await??;
        assert!(!ended);
        Ok(())
    }

    /// The bank never answers, and many clients are waiting.
    #[tokio::test]
    async fn overload_and_slow_answers_end_with_the_grace_period()
    -> io::Result<()> {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let grace = Duration::from_millis(200);
        let routes = shop.routes();
        let (address, server) = start(routes, &stop, grace).await?;
        let mut clients = Vec::new();
        for _ in 0..200 {
            clients.push(ask(address, "/pay").await?);
        }
        shop.begun.notified().await;
        stop.cancel();
        assert!(!timeout(LONG, server).await???);
        Ok(())
    }

    #[tokio::test]
    async fn slow_answers_end_with_the_grace_period() -> io::Result<()>
    {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let grace = Duration::from_millis(50);
        let routes = shop.routes();
        let (address, server) = start(routes, &stop, grace).await?;
        let _client = ask(address, "/pay").await?;
        shop.begun.notified().await;
        stop.cancel();
        assert!(!timeout(LONG, server).await???);
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_a_handler_leaves_the_others() -> io::Result<()> {
        let broken = async || -> &'static str {
            std::panic::resume_unwind(Box::new("no price"))
        };
        let shop = Shop::default();
        let routes = shop.routes().route("/broken", get(broken));
        let stop = CancellationToken::new();
        let (address, server) = start(routes, &stop, LONG).await?;
        for _ in 0..3 {
            let mut client = ask(address, "/broken").await?;
            assert_eq!(rest(&mut client).await?, "nothing");
            let mut client = ask(address, "/price").await?;
            until(&mut client, "12 euros").await?;
        }
        stop.cancel();
        assert!(server.await??);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_closes_the_listener() -> io::Result<()> {
        for polls in 0..3 {
            let (shop, stop) =
                (Shop::default(), CancellationToken::new());
            let (address, server) =
                start(shop.routes(), &stop, LONG).await?;
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            server.abort();
            timeout(LONG, refused(address)).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn owner_gone_leaves_its_connections() -> io::Result<()> {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) =
            start(shop.routes(), &stop, LONG).await?;
        let mut client = ask(address, "/price").await?;
        until(&mut client, "12 euros").await?;
        server.abort();
        refused(address).await;
        // As documented: it is the runtime's, until the stop.
        stop.cancel();
        assert_eq!(timeout(LONG, rest(&mut client)).await??, "nothing");
        Ok(())
    }

    #[tokio::test]
    async fn edges_stopped_before_and_no_grace() -> io::Result<()> {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        stop.cancel();
        let (_, server) = start(shop.routes(), &stop, LONG).await?;
        assert!(timeout(LONG, server).await???);
        let stop = CancellationToken::new();
        let none = Duration::ZERO;
        let (address, server) =
            start(shop.routes(), &stop, none).await?;
        let _client = ask(address, "/pay").await?;
        shop.begun.notified().await;
        stop.cancel();
        assert!(!timeout(LONG, server).await???);
        Ok(())
    }

    /// A client that disconnects in the middle of its request.
    #[tokio::test]
    async fn failure_of_a_client_leaves_the_others() -> io::Result<()> {
        let (shop, stop) = (Shop::default(), CancellationToken::new());
        let (address, server) =
            start(shop.routes(), &stop, LONG).await?;
        for _ in 0..10 {
            drop(send(address, "GET /pri").await?);
            drop(ask(address, "/pay").await?);
            let mut client = ask(address, "/price").await?;
            until(&mut client, "12 euros").await?;
        }
        stop.cancel();
        assert!(timeout(LONG, server).await???);
        Ok(())
    }
}
