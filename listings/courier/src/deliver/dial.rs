//! Connections to public addresses, within a time limit.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name},
    rt::TokioIo,
};
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};
use tower::Service;

use super::{BoxError, late};
use crate::config::Settings;

/// Connects, TLS included, within `connect_timeout`.
#[derive(Clone)]
pub struct Dial<C> {
    pub(super) connector: C,
    pub(super) private: bool,
    pub(super) settings: watch::Receiver<Arc<Settings>>,
}

type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<C> Service<Uri> for Dial<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Boxed<C::Response, BoxError>;

    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    // ANCHOR: dial
    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default();
        // IP addresses in URLs aren't resolved, so they're checked here.
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !self.private
            && !is_public(ip)
        {
            let error = format!("{ip} isn't a public address");
            return Box::pin(async move { Err(error.into()) });
        }
        let limit = self.settings.borrow().deliver.connect_timeout;
        let connecting = timeout(limit, self.connector.call(uri));
        Box::pin(async move {
            let connected = connecting.await;
            connected
                .map_err(|_| late("connection", limit))?
                .map_err(Into::into)
        })
    }
    // ANCHOR_END: dial
}

/// TCP. A name's IPv4 addresses share half of `connect_timeout` equally,
/// so that the others are tried if one is silent. So do its IPv6
/// addresses, at the same time. The other half is for DNS and TLS.
#[derive(Clone)]
pub struct Tcp<R> {
    connector: HttpConnector<R>,
    settings: watch::Receiver<Arc<Settings>>,
}

impl<R> Tcp<R> {
    /// With the addresses that a connector's resolver finds.
    pub fn new(
        mut connector: HttpConnector<R>,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Self {
        connector.enforce_http(false);
        connector.set_nodelay(true);
        Self { connector, settings }
    }
}

impl<R> Service<Uri> for Tcp<R>
where
    HttpConnector<R>: Service<
            Uri,
            Response = TokioIo<TcpStream>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone,
{
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Boxed<Self::Response, BoxError>;

    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.settings.borrow().deliver.connect_timeout;
        self.connector.set_connect_timeout(Some(limit / 2));
        let connecting = self.connector.call(uri);
        Box::pin(async { connecting.await.map_err(Into::into) })
    }
}

/// How many lookups run at the same time, of names that were found
/// the last time, and of others. A lookup occupies a thread until the
/// operating system gives up, and Tokio has 512 such threads, which
/// files and the names of databases need, too.
const LOOKUPS: [usize; 2] = [100, 100];

/// Connections that start at the same time share a lookup.
const FRESH: Duration = Duration::from_secs(1);

/// Looks up a name, and blocks.
type LookUp = fn(&str) -> io::Result<Found>;
type Found = std::vec::IntoIter<SocketAddr>;

/// Resolves names, and leaves out special addresses.
///
/// Names whose DNS servers are silent delay only each other, and new
/// names, unless over a hundred fall silent at the same time.
#[derive(Clone)]
pub struct Resolve {
    private: bool,
    look_up: LookUp,
    lookups: Arc<Lookups>,
}

struct Lookups {
    places: [Arc<Semaphore>; 2],
    names: Mutex<HashMap<Name, Arc<AsyncMutex<Last>>>>,
}

/// When a name was found the last time, and what, unless it wasn't.
type Last = Option<(Instant, Vec<SocketAddr>)>;

impl Resolve {
    /// With a function that blocks until it has found the addresses.
    pub fn new(look_up: LookUp) -> Self {
        let places = LOOKUPS.map(Semaphore::new).map(Arc::new);
        let lookups = Lookups { places, names: Mutex::default() };
        Self { private: false, look_up, lookups: Arc::new(lookups) }
    }

    /// Shares its lookups, and allows special addresses or doesn't.
    pub fn allowing(&self, private: bool) -> Self {
        Self { private, ..self.clone() }
    }
}

impl Lookups {
    /// Locked while it's being looked up.
    fn last(&self, name: &Name) -> Arc<AsyncMutex<Last>> {
        let names = self.names.lock();
        let mut all = names.unwrap_or_else(PoisonError::into_inner);
        if all.len() > 10_000 {
            // Most of them aren't used anymore.
            all.retain(|_, it| Arc::strong_count(it) > 1);
        }
        Arc::clone(all.entry(name.clone()).or_default())
    }
}

impl Service<Name> for Resolve {
    type Response = Found;
    type Error = io::Error;
    type Future = Boxed<Self::Response, io::Error>;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    // ANCHOR: resolve
    fn call(&mut self, name: Name) -> Self::Future {
        let Self { private, look_up, lookups } = self.clone();
        Box::pin(async move {
            let text = format!("{name} has no public address");
            let mut last = lookups.last(&name).lock_owned().await;
            let found = match &*last {
                Some((at, all)) if at.elapsed() < FRESH => all.clone(),
                other => {
                    let new = usize::from(other.is_none());
                    let place = Arc::clone(&lookups.places[new]);
                    let place = place.acquire_owned().await;
                    let looking = spawn_blocking(move || {
                        // It can't be canceled: until its end, it has
                        // the place, and others of its name wait.
                        let _place = place;
                        *last = None;
                        let all = look_up(name.as_str())?;
                        let all = Vec::from_iter(all);
                        *last = Some((Instant::now(), all.clone()));
                        io::Result::Ok(all)
                    });
                    looking.await??
                }
            };
            let allowed =
                |it: &SocketAddr| private || is_public(it.ip());
            let found: Vec<_> =
                found.into_iter().filter(allowed).collect();
            match found.is_empty() {
                true => Err(io::Error::other(text)),
                false => Ok(found.into_iter()),
            }
        })
    }
    // ANCHOR_END: resolve
}

/// Whether an address belongs to the public internet. IPv6: only
/// unicast addresses that contain no IPv4 address.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 168, ..]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [168, 63, 129, 16] // Azure's own, in each machine.
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x2001, 0..=0x1ff | 0xdb8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}
