//! Accept TLS connections: each handshake has a time limit, and delays nobody else.

// ANCHOR: serve
use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::CancellationToken;

/// Serves HTTPS until the stop, then drains. Returns how many
/// connections were closed at the deadline.
async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    shop: Router,
    stop: CancellationToken,
    grace: Duration,
) -> usize {
    let watched = GracefulShutdown::new();
    let mut open = JoinSet::new();
    let all = accept(&listener, &tls, shop, &stop, &watched, &mut open);
    stop.run_until_cancelled(all).await;
    drop(listener);
    let drained = timeout(grace, watched.shutdown()).await;
    while open.try_join_next().is_some() {}
    let left = if drained.is_ok() { 0 } else { open.len() };
    // A handler that blocks its thread can't be aborted.
    let _ = timeout(PAUSE, open.shutdown()).await;
    left
}
// ANCHOR_END: serve

// ANCHOR: accept
async fn accept(
    listener: &TcpListener,
    tls: &watch::Receiver<Arc<ServerConfig>>,
    shop: Router,
    stop: &CancellationToken,
    watched: &GracefulShutdown,
    open: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(PLACES));
    while let Ok(place) = places.clone().acquire_owned().await {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(%error, "no connection accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        while open.try_join_next().is_some() {}
        // Every handshake uses the newest certificate.
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        let (shop, stop) = (shop.clone(), stop.clone());
        let watcher = watched.watcher();
        open.spawn(async move {
            let served =
                connection(&acceptor, socket, shop, &stop, watcher);
            if let Err(error) = served.await {
                let peer = peer.ip();
                _ = writeln!(io::stderr(), "{peer}: {error:#}");
            }
            drop(place);
        });
    }
}
// ANCHOR_END: accept

// ANCHOR: connection
/// Serves one connection. The stop ends a handshake immediately, but
/// lets a request finish.
async fn connection(
    acceptor: &TlsAcceptor,
    socket: TcpStream,
    shop: Router,
    stop: &CancellationToken,
    watcher: Watcher,
) -> anyhow::Result<()> {
    let handshake = timeout(HANDSHAKE, acceptor.accept(socket));
    let Some(shaken) = stop.run_until_cancelled(handshake).await else {
        return Ok(());
    };
    let stream = shaken.context("the TLS handshake took too long")?;
    let stream = stream.context("no TLS")?;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let shop = TowerToHyperService::new(shop);
    let served = http.serve_connection(TokioIo::new(stream), shop);
    watcher.watch(served).await.context("HTTP")
}
// ANCHOR_END: connection

/// How many connections may be open, including those in a handshake.
const PLACES: usize = if cfg!(test) { 3 } else { 1000 };

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a request's head may take, or the next request.
const HEAD: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(100);

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
};

use axum::{
    body::{Body, to_bytes},
    routing::get,
};
use http::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use rcgen::{CertificateParams, DnType, IsCa, KeyPair};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName},
    },
};

type Failed = Box<dyn Error + Send + Sync>;

/// A certificate that its clients know, and the server that has it.
struct Identity {
    root: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Identity {
    fn new(year: &str) -> Result<Self, Failed> {
        let key = KeyPair::generate()?;
        let mut params =
            CertificateParams::new(["shop.test".to_owned()])?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.distinguished_name.push(DnType::CommonName, year);
        let root = CertificateDer::from(params.self_signed(&key)?);
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![root.clone()], key.into())?;
        let config = Arc::new(config);
        Ok(Self { root, config })
    }
}

/// A server, and what its clients need.
struct Shop {
    address: SocketAddr,
    identity: Identity,
    tls: watch::Sender<Arc<ServerConfig>>,
    stop: CancellationToken,
    server: JoinHandle<usize>,
    begun: Arc<Notify>,
    bank: Arc<Notify>,
}

async fn start(grace: Duration) -> Result<Shop, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let identity = Identity::new("2026")?;
    let (tls, newest) = watch::channel(Arc::clone(&identity.config));
    let stop = CancellationToken::new();
    let (begun, bank) = <(Arc<Notify>, Arc<Notify>)>::default();
    let (starts, pays) = (begun.clone(), bank.clone());
    let pay = async move || {
        starts.notify_one();
        pays.notified().await;
        "paid"
    };
    let bug = async || -> &'static str {
        std::panic::resume_unwind(Box::new("a bug"))
    };
    let block = || std::thread::sleep(Duration::from_secs(3));
    let block = async move || tokio::task::block_in_place(block);
    let routes = Router::new()
        .route("/price", get(async || "12 euros"))
        .route("/block", get(block))
        .route("/bug", get(bug))
        .route("/pay", get(pay));
    let server = serve(listener, newest, routes, stop.clone(), grace);
    let server = tokio::spawn(server);
    Ok(Shop { address, identity, tls, stop, server, begun, bank })
}

/// Connects, and accepts no other certificate than this one.
async fn connect(
    address: SocketAddr,
    root: &CertificateDer<'static>,
) -> Result<SendRequest<Body>, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("shop.test")?;
    let stream = connector.connect(name, socket).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(
    sender: &mut SendRequest<Body>,
    path: &str,
) -> Result<String, Failed> {
    let request = Request::get(path).header("host", "shop.test");
    let answer =
        sender.send_request(request.body(Body::empty())?).await?;
    let body = to_bytes(Body::new(answer.into_body()), 1000).await?;
    Ok(String::from_utf8(body.to_vec())?)
}

const GRACE: Duration = Duration::from_secs(10);

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let shop = start(GRACE).await?;
    let old = &shop.identity.root;
    // The first client never starts its handshake.
    let _silent = TcpStream::connect(shop.address).await?;
    let mut kept = connect(shop.address, old).await?;
    println!("the second client: {}", ask(&mut kept, "/price").await?);

    let new = Identity::new("2027")?;
    shop.tls.send_replace(new.config);
    println!("an open connection: {}", ask(&mut kept, "/price").await?);
    let refused = connect(shop.address, old).await.err();
    println!("the old root: {}", refused.ok_or("it's accepted")?);
    let mut fresh = connect(shop.address, &new.root).await?;
    println!("the new root: {}", ask(&mut fresh, "/price").await?);

    let stop = async {
        shop.begun.notified().await;
        shop.stop.cancel();
        shop.bank.notify_one();
    };
    let (paid, ()) = tokio::join!(ask(&mut kept, "/pay"), stop);
    println!("in flight at the stop: {}", paid?);
    println!("closed at the deadline: {}", shop.server.await?);
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    type Outcome = Result<(), Failed>;

    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn silence_of_one_client_blocks_nobody() -> Outcome {
        let shop = start(GRACE).await?;
        let _silent = TcpStream::connect(shop.address).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        assert_eq!(ask(&mut client, "/price").await?, "12 euros");
        Ok(())
    }

    /// More silent clients than places.
    #[tokio::test]
    async fn silence_in_the_handshake_is_cut_off() -> Outcome {
        let shop = start(GRACE).await?;
        let mut silent = Vec::new();
        for _ in 0..2 * PLACES {
            silent.push(TcpStream::connect(shop.address).await?);
        }
        tokio::time::pause();
        for client in &mut silent {
            let mut seen = Vec::new();
            let read = client.read_to_end(&mut seen);
            let _ = timeout(5 * HANDSHAKE, read).await?;
            assert!(seen.is_empty());
        }
        tokio::time::resume();
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        assert_eq!(ask(&mut client, "/price").await?, "12 euros");
        Ok(())
    }

    /// After the handshake, too.
    #[tokio::test]
    async fn silence_after_a_request_is_cut_off() -> Outcome {
        let shop = start(GRACE).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        ask(&mut client, "/price").await?;
        tokio::time::pause();
        let closed = std::future::poll_fn(|cx| client.poll_ready(cx));
        assert!(closed.await.is_ok());
        tokio::time::sleep(5 * HEAD).await;
        tokio::time::resume();
        while !client.is_closed() {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// A handshake that arrives byte by byte has no more time.
    #[tokio::test]
    async fn slow_handshake_is_cut_off() -> Outcome {
        let shop = start(GRACE).await?;
        let mut client = TcpStream::connect(shop.address).await?;
        // A record of a handshake, with 512 bytes.
        client.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await?;
        tokio::time::pause();
        let (mut read, mut write) = client.split();
        let writes = async {
            while write.write_all(&[0]).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut seen = Vec::new();
        let reads = read.read_to_end(&mut seen);
        let both = async {
            tokio::select! {
                () = writes => {}
                _ = reads => {}
            }
        };
        timeout(10 * HANDSHAKE, both).await?;
        Ok(())
    }

    /// The bank never answers: the deadline cuts its client off.
    #[tokio::test]
    async fn slow_payment_is_cut_off_at_the_deadline() -> Outcome {
        let shop = start(SHORT).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        let paying = tokio::spawn(async move {
            ask(&mut client, "/pay").await.is_err()
        });
        shop.begun.notified().await;
        shop.stop.cancel();
        assert_eq!(shop.server.await?, 1);
        assert!(paying.await?);
        Ok(())
    }

    #[tokio::test]
    async fn stop_answers_what_is_in_flight() -> Outcome {
        let shop = start(GRACE).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        let paying = tokio::spawn(async move {
            ask(&mut client, "/pay").await.unwrap_or_default()
        });
        shop.begun.notified().await;
        shop.stop.cancel();
        while TcpStream::connect(shop.address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        shop.bank.notify_one();
        assert_eq!(paying.await?, "paid");
        assert_eq!(shop.server.await?, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_does_not_wait_for_a_blocked_thread() -> Outcome {
        let shop = start(SHORT).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        let _asking = tokio::spawn(async move {
            ask(&mut client, "/block").await.unwrap_or_default()
        });
        sleep(3 * SHORT).await;
        shop.stop.cancel();
        assert_eq!(timeout(20 * SHORT, shop.server).await??, 1);
        Ok(())
    }

    /// A silent client doesn't delay the stop.
    #[tokio::test]
    async fn stop_ends_handshakes() -> Outcome {
        let shop = start(100 * GRACE).await?;
        let mut silent = TcpStream::connect(shop.address).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        ask(&mut client, "/price").await?;
        shop.stop.cancel();
        let left = timeout(HANDSHAKE / 2, shop.server).await??;
        assert_eq!(left, 0);
        let mut seen = Vec::new();
        let _ = silent.read_to_end(&mut seen).await;
        assert!(seen.is_empty());
        Ok(())
    }

    /// Dropped, the server closes its connections.
    #[tokio::test]
    async fn cancel_closes_the_listener() -> Outcome {
        let shop = start(GRACE).await?;
        let _silent = TcpStream::connect(shop.address).await?;
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        let paying = tokio::spawn(async move {
            ask(&mut client, "/pay").await.is_err()
        });
        shop.begun.notified().await;
        shop.server.abort();
        assert!(paying.await?);
        while TcpStream::connect(shop.address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        hazards::no_task_left().await;
        Ok(())
    }

    /// More handlers panic than there are places.
    #[tokio::test]
    async fn panic_of_a_handler_ends_only_its_connection() -> Outcome {
        let shop = start(GRACE).await?;
        for _ in 0..2 * PLACES {
            let mut client =
                connect(shop.address, &shop.identity.root).await?;
            assert!(ask(&mut client, "/bug").await.is_err());
        }
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        assert_eq!(ask(&mut client, "/price").await?, "12 euros");
        Ok(())
    }

    /// One client more than places: it waits for a place.
    #[tokio::test]
    async fn overload_of_connections_waits() -> Outcome {
        let shop = start(GRACE).await?;
        let mut held = Vec::new();
        for _ in 0..PLACES {
            let mut client =
                connect(shop.address, &shop.identity.root).await?;
            ask(&mut client, "/price").await?;
            held.push(client);
        }
        let mut next =
            Box::pin(connect(shop.address, &shop.identity.root));
        assert!(timeout(SHORT, &mut next).await.is_err());
        held.pop();
        let mut client = timeout(GRACE, next).await??;
        assert_eq!(ask(&mut client, "/price").await?, "12 euros");
        Ok(())
    }

    /// More clients than places speak no TLS, distrust the server, or
    /// leave.
    #[tokio::test]
    async fn failure_of_handshakes_frees_their_places() -> Outcome {
        let shop = start(GRACE).await?;
        let other = Identity::new("another")?;
        for _ in 0..2 * PLACES {
            let mut plain = TcpStream::connect(shop.address).await?;
            plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
            let mut seen = Vec::new();
            let _ = plain.read_to_end(&mut seen).await;
            drop(TcpStream::connect(shop.address).await?);
            assert!(connect(shop.address, &other.root).await.is_err());
        }
        let mut client =
            connect(shop.address, &shop.identity.root).await?;
        assert_eq!(ask(&mut client, "/price").await?, "12 euros");
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_client_and_stopped_before() -> Outcome {
        let shop = start(GRACE).await?;
        shop.stop.cancel();
        assert_eq!(shop.server.await?, 0);
        Ok(())
    }

    /// Certificates change while clients connect.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_swap_certificates_under_load() -> Outcome {
        let shop = start(GRACE).await?;
        let mut clients = JoinSet::new();
        for _ in 0..20 {
            let (address, root) =
                (shop.address, shop.identity.root.clone());
            clients.spawn(async move {
                let client = connect(address, &root).await;
                let Ok(mut client) = client else { return false };
                ask(&mut client, "/price").await.is_ok()
            });
            shop.tls.send_replace(shop.identity.config.clone());
        }
        assert_eq!(clients.join_all().await, [true; 20]);
        shop.stop.cancel();
        assert_eq!(shop.server.await?, 0);
        Ok(())
    }
}
