//! Accepts connections, and serves HTTP/1 on them, however many clients
//! come, and whatever they do or don't send.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::Router;
use futures::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf,
        copy, join, sink, split,
    },
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinSet, yield_now},
    time::{Duration, Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    config::{Accept, Settings},
    metrics::Metrics,
};

/// How long to wait after an error such as "too many open files".
const PAUSE: Duration = Duration::from_millis(200);
/// After this time, the request that a connection is serving is its
/// last, so no client holds a place longer.
const AGE: Duration = Duration::from_secs(300);
/// How long, and how much of, a request that was answered early is
/// read, so that the client sees its answer, not a reset.
const LINGER: (Duration, u64) =
    (Duration::from_millis(500), 1024 * 1024);
/// What a client gets, if there's no place for it.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Where connections come from: a socket, or a test.
pub trait Listen: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for a connection. If this is dropped before, no connection
    /// is lost.
    fn accept(
        &mut self,
    ) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (io, peer) = TcpListener::accept(self).await?;
        // Its failure is no reason to refuse the client.
        let _ = io.set_nodelay(true);
        Ok((io, peer))
    }
}

/// Serves until `stop`, then closes the listener and drains: the
/// requests that have begun are answered, and idle connections are
/// closed.
///
/// Returns when no connection is left; if dropped, it cuts them off. A
/// connection that has no place gets 503.
pub async fn serve(
    mut listener: impl Listen,
    router: Router,
    settings: watch::Receiver<Arc<Settings>>,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let (mut open, places) = (JoinSet::new(), Places::default());
    // ANCHOR: accept
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_ended) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (mut io, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                metrics.refused("accept");
                if !concerns_one_client(&error) {
                    // Without a pause, the error would recur immediately.
                    stop.run_until_cancelled(sleep(PAUSE)).await;
                }
                continue;
            }
        };
        let limits = settings.borrow().accept.clone();
        let Some(place) = places.take(peer.ip(), &limits) else {
            metrics.refused("connections");
            let _ = io.write(BUSY).now_or_never();
            continue;
        };
        let counted = metrics.connected();
        let served =
            connection(io, router.clone(), limits, stop.clone());
        open.spawn(async move {
            let _until_it_ends = (place, counted);
            served.await;
        });
    }
    // ANCHOR_END: accept
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Serves the requests of one connection, one after the other.
async fn connection(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    limits: Accept,
    stop: CancellationToken,
) {
    // ANCHOR: connection
    let phase = watch::Sender::new(Phase::Head(Instant::now()));
    let (reader, writer) = split(&mut io);
    let reader = Reader { io: reader, phase: &phase };
    let service = service_fn(async |request| {
        phase.send_replace(Phase::Busy { ahead: true });
        let answer = router.clone().oneshot(request).await;
        yield_now().await; // If nothing is left over, hyper reads on.
        phase.send_modify(Phase::answered);
        answer
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(join(reader, writer)), service);
    let serving = async {
        let mut served = pin!(served);
        let age = stop.run_until_cancelled(sleep(AGE));
        tokio::select! {
            ended = served.as_mut() => return Ok(ended),
            _ = age => served.as_mut().graceful_shutdown(),
        }
        let last = limits.head_timeout + limits.request_timeout;
        timeout(last, served).await
    };
    let ended = tokio::select! {
        ended = serving => Some(ended),
        () = overdue(&phase, limits.head_timeout) => None,
    };
    tracing::debug!(?ended, "a connection ended");
    let (longest, most) = LINGER;
    let linger = async {
        io.shutdown().await?;
        copy(&mut (&mut io).take(most), &mut sink()).await
    };
    let _ = timeout(longest, linger).await;
    // ANCHOR_END: connection
}

/// What a connection is doing. `ahead`: hyper has already read bytes of
/// the next request. (If none are left over, it reads until it waits.)
#[derive(Clone, Copy)]
enum Phase {
    Idle {
        ahead: bool,
    },
    /// A head has been arriving since then.
    Head(Instant),
    Busy {
        ahead: bool,
    },
}

impl Phase {
    /// Notes that hyper has read: it got bytes or waits. When idle, it
    /// reads only if it has no whole head yet. Returns whether the time
    /// of a head starts.
    fn read(&mut self, has_bytes: bool) -> bool {
        let starts = match self {
            Self::Idle { ahead } => *ahead || has_bytes,
            Self::Head(_) => false,
            Self::Busy { ahead } => {
                *ahead = has_bytes;
                false
            }
        };
        if starts {
            *self = Self::Head(Instant::now());
        }
        starts
    }

    fn answered(&mut self) {
        if let Self::Busy { ahead } = *self {
            *self = Self::Idle { ahead };
        }
    }
}

/// Notes what hyper reads.
struct Reader<'a, R> {
    io: R,
    phase: &'a watch::Sender<Phase>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Reader<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, bytes);
        let has_bytes = read.is_ready();
        self.phase.send_if_modified(|phase| phase.read(has_bytes));
        read
    }
}

/// Returns when a head takes too long.
async fn overdue(phase: &watch::Sender<Phase>, limit: Duration) {
    let mut phases = phase.subscribe();
    loop {
        let phase = *phases.borrow_and_update();
        let next = phases.changed();
        let _ = match phase {
            Phase::Idle { .. } | Phase::Busy { .. } => next.await,
            Phase::Head(start) => {
                match timeout_at(start + limit, next).await {
                    Ok(changed) => changed,
                    Err(_late) => return,
                }
            }
        };
    }
}

/// Whether an error ends only one connection, and the next one may well
/// be accepted.
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// How many connections there are from each address.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's place, until it's dropped.
struct Place(Places, IpAddr);

impl Places {
    // ANCHOR: places
    /// A place for a client, if one is free.
    fn take(&self, client: IpAddr, limits: &Accept) -> Option<Place> {
        let client = network(client);
        let mut all =
            self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = all.values().sum();
        let own = all.get(&client).copied().unwrap_or(0);
        let fits = total < limits.connections
            && own < limits.connections_per_address;
        fits.then(|| {
            all.insert(client, own + 1);
            Place(self.clone(), client)
        })
    }
    // ANCHOR_END: places
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self(Places(all), client) = self;
        let mut all =
            all.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(client) {
            Some(others) if *others > 1 => *others -= 1,
            _ => drop(all.remove(client)),
        }
    }
}

// ANCHOR: network
/// The client's IPv4 address, or the network of its IPv6 address,
/// because a client can use any address in its IPv6 network.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(it) => IpAddr::V6((it.to_bits() >> 64 << 64).into()),
        client => client,
    }
}
// ANCHOR_END: network
