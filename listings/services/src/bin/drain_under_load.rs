//! Stop a server under load, with every kind of client.

// ANCHOR: serve
use std::{io, sync::Arc};

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    time::{Duration, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Serves until shutdown, then drains requests and payments within the
/// grace period. Returns whether all of them were done.
async fn serve(
    listener: TcpListener,
    shop: Arc<Shop>,
) -> io::Result<bool> {
    let routes = Router::new()
        .route("/pay", get(pay))
        .route("/orders", get(orders))
        .with_state(shop.clone());
    let stop = shop.stop.clone();
    let served = axum::serve(listener, routes)
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let all = async {
        served.into_future().await?;
        // This includes the payments of disconnected clients.
        shop.payments.close();
        shop.payments.wait().await;
        Ok(true)
    };
    // One deadline covers both steps.
    let out_of_time = async {
        stop.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = all => done,
        () = out_of_time => Ok(false),
    }
}
// ANCHOR_END: serve

/// Shorter than the time after which the supervisor sends SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

use std::convert::Infallible;

use axum::{
    extract::State,
    http::StatusCode,
    response::sse::{Event, Sse},
};
use futures::{Stream, StreamExt, stream};

/// Pays in a task, so that a client that disconnects cancels nothing.
async fn pay(
    State(shop): State<Arc<Shop>>,
) -> Result<&'static str, StatusCode> {
    let paying = shop.payments.spawn(shop.clone().take_money());
    paying.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok("paid")
}

/// Sends orders as they come, until shutdown.
async fn orders(
    State(shop): State<Arc<Shop>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = stream::iter([Event::default().data("order 7")]);
    let events = first.chain(stream::pending());
    let stop = shop.stop.clone().cancelled_owned();
    let last = Event::default().event("end").data("restart");
    let last = stream::iter([last]);
    Sse::new(events.take_until(stop).chain(last).map(Ok))
}

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

/// What the shop does, and what it has done.
struct Shop {
    stop: CancellationToken,
    payments: TaskTracker,
    begun: Semaphore,
    bank: Semaphore,
    paid: AtomicUsize,
    #[cfg(test)]
    broken: AtomicUsize,
}

impl Shop {
    /// The bank answers when the test says so.
    async fn take_money(self: Arc<Self>) {
        self.begun.add_permits(1);
        #[cfg(test)]
        if self.broken.swap(0, Ordering::Relaxed) > 0 {
            std::panic::resume_unwind(Box::new("no such account"));
        }
        if let Ok(answer) = self.bank.acquire().await {
            answer.forget();
        }
        self.paid.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until this many payments have started.
    async fn until_begun(&self, payments: usize) -> io::Result<()> {
        let payments = u32::try_from(payments);
        let payments = payments.map_err(io::Error::other)?;
        let begun = self.begun.acquire_many(payments).await;
        begun.map_err(io::Error::other)?.forget();
        Ok(())
    }
}

/// Sends this, on a connection of its own.
async fn send(
    address: SocketAddr,
    text: &str,
) -> io::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    Ok(client)
}

/// Sends a whole request.
async fn ask(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
    send(address, &request).await
}

/// Reads until this is there.
async fn until(client: &mut TcpStream, what: &str) -> io::Result<()> {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(what) {
        if client.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// What comes until the server closes the connection.
async fn rest(client: &mut TcpStream) -> io::Result<String> {
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    Ok(text)
}

/// What became of each client.
#[derive(Debug, PartialEq)]
struct Seen {
    answered: usize,
    idle: String,
    events_ended: bool,
    paid: usize,
    all_answered: bool,
}

const LOAD: usize = 50;

// ANCHOR: clients
/// Stops with half a request (if `half`), an idle connection, an event
/// stream, a client that disconnects, and fifty payments in flight.
async fn stop_under_load(half: bool) -> io::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shop = Arc::new(Shop::new());
    let server = tokio::spawn(serve(listener, shop.clone()));

    let sent = if half { "GET /pa" } else { "" };
    let half = send(address, sent).await?;
    shop.bank.add_permits(1);
    let mut idle = ask(address, "/pay").await?;
    until(&mut idle, "paid").await?;
    let mut events = ask(address, "/orders").await?;
    until(&mut events, "order 7").await?;
    let leaves = ask(address, "/pay").await?;
    let mut load = JoinSet::new();
    for _ in 0..LOAD {
        load.spawn(async move {
            rest(&mut ask(address, "/pay").await?).await
        });
    }
    shop.until_begun(2 + LOAD).await?;

    drop(leaves);
    shop.stop.cancel();
    let idle = rest(&mut idle).await?;
    let events = rest(&mut events).await?;
    shop.bank.add_permits(1 + LOAD);
    let answers = load.join_all().await.into_iter();
    let answers = answers.collect::<io::Result<Vec<_>>>()?;
    let all_answered = server.await??;
    drop(half);
    Ok(seen(&shop, idle, events, &answers, all_answered))
}
// ANCHOR_END: clients

fn seen(
    shop: &Shop,
    idle: String,
    events: String,
    answers: &[String],
    all_answered: bool,
) -> Seen {
    let answered = answers.iter().filter(|it| it.ends_with("paid"));
    Seen {
        answered: answered.count(),
        idle,
        events_ended: events.contains("event: end"),
        paid: shop.paid.load(Ordering::Relaxed),
        all_answered,
    }
}

impl Shop {
    fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            payments: TaskTracker::new(),
            begun: Semaphore::new(0),
            bank: Semaphore::new(0),
            paid: AtomicUsize::new(0),
            #[cfg(test)]
            broken: AtomicUsize::new(0),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for half in [false, true] {
        let seen = stop_under_load(half).await?;
        match half {
            true => println!("one client has sent half a request:"),
            false => println!("every request is complete:"),
        }
        println!("  in flight: {} of {LOAD} answered", seen.answered);
        println!("  idle: closed after {} bytes", seen.idle.len());
        println!("  event stream: ended {}", seen.events_ended);
        let left = seen.paid - 1 - LOAD;
        println!("  disconnected client: {left} payment finished");
        println!("  everything finished: {}", seen.all_answered);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing_is_lost(half: bool) -> io::Result<()> {
        let seen = stop_under_load(half).await?;
        let expected = Seen {
            answered: LOAD,
            idle: String::new(),
            events_ended: true,
            // One before, one that left, and the load.
            paid: LOAD + 2,
            all_answered: !half,
        };
        assert_eq!(seen, expected);
        Ok(())
    }

    #[tokio::test]
    async fn stop_loses_nothing() -> io::Result<()> {
        nothing_is_lost(false).await
    }

    #[tokio::test]
    async fn silence_of_a_client_loses_nothing() -> io::Result<()> {
        nothing_is_lost(true).await
    }

    /// A server, and its shop.
    async fn start() -> io::Result<(
        SocketAddr,
        Arc<Shop>,
        tokio::task::JoinHandle<io::Result<bool>>,
    )> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shop = Arc::new(Shop::new());
        let server = tokio::spawn(serve(listener, shop.clone()));
        Ok((address, shop, server))
    }

    #[tokio::test]
    async fn edges_no_client_and_stopped_before() -> io::Result<()> {
        let (_, shop, server) = start().await?;
        shop.stop.cancel();
        assert!(server.await??);
        Ok(())
    }

    /// Payments that panic are answered with an error.
    #[tokio::test]
    async fn panic_of_a_payment_leaves_the_others() -> io::Result<()> {
        let (address, shop, server) = start().await?;
        shop.broken.store(1, Ordering::Relaxed);
        let mut broken = ask(address, "/pay").await?;
        until(&mut broken, "500").await?;
        shop.bank.add_permits(1);
        let mut paid = ask(address, "/pay").await?;
        until(&mut paid, "paid").await?;
        shop.stop.cancel();
        assert!(server.await??);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_closes_the_listener() -> io::Result<()> {
        let (address, shop, server) = start().await?;
        let mut pays = ask(address, "/pay").await?;
        shop.until_begun(1).await?;
        server.abort();
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        // A payment that has started still finishes.
        shop.bank.add_permits(1);
        until(&mut pays, "paid").await
    }

    /// Half a request, and a payment that the bank never answers: one
    /// deadline for both. A loaded machine gets a few tries.
    #[tokio::test]
    async fn slow_payments_end_with_the_grace_period() -> io::Result<()>
    {
        for _ in 0..5 {
            let (address, shop, server) = start().await?;
            let _half = send(address, "GET /pa").await?;
            let leaves = ask(address, "/pay").await?;
            shop.until_begun(1).await?;
            drop(leaves);
            let stopped = tokio::time::Instant::now();
            shop.stop.cancel();
            assert!(!server.await??);
            if stopped.elapsed() < 2 * GRACE {
                return Ok(());
            }
        }
        panic!("it takes twice the grace period");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_nothing() -> io::Result<()> {
        nothing_is_lost(false).await?;
        nothing_is_lost(true).await
    }
}
