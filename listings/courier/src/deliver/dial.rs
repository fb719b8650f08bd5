//! Connections to public addresses, within a time limit.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::TryFutureExt;
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
use tower::{
    Service, ServiceExt, service_fn, util::BoxCloneSyncService,
};

use super::{BoxError, late};
use crate::config::Settings;

/// A service that opens connections of type `T`.
pub trait Connector<T>:
    Service<Uri, Response = T, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T, C> Connector<T> for C where
    C: Service<Uri, Response = T, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A connector with a time limit and an address check.
pub type Dial<T> = BoxCloneSyncService<Uri, T, BoxError>;

/// Connects, TLS included, within `connect_timeout`. Refuses private
/// addresses, unless `private` allows them.
pub(super) fn dial<T>(
    connector: impl Connector<T>,
    private: bool,
    settings: watch::Receiver<Arc<Settings>>,
) -> Dial<T> {
    // ANCHOR: dial
    let dial = move |uri: Uri| {
        let connecting = connector.clone().oneshot(uri.clone());
        let limit = settings.borrow().deliver.connect_timeout;
        async move {
            let host = uri.host().unwrap_or_default();
            let host = host.trim_matches(['[', ']']);
            // IP addresses in URLs aren't resolved, so they're checked here.
            if let Ok(ip) = host.parse::<IpAddr>()
                && !private
                && !is_public(ip)
            {
                let error = format!("{ip} isn't a public address");
                return Err(error.into());
            }
            let connected = timeout(limit, connecting).await;
            connected
                .map_err(|_| late("connection", limit))?
                .map_err(Into::into)
        }
    };
    // ANCHOR_END: dial
    BoxCloneSyncService::new(service_fn(dial))
}

/// TCP. A name's IPv4 addresses share half of `connect_timeout` equally,
/// so that the others are tried if one is silent. So do its IPv6
/// addresses, at the same time. The other half is for DNS and TLS.
pub fn tcp_within<R>(
    mut connector: HttpConnector<R>,
    settings: watch::Receiver<Arc<Settings>>,
) -> Dial<TokioIo<TcpStream>>
where
    HttpConnector<R>: Connector<TokioIo<TcpStream>>,
{
    connector.enforce_http(false);
    connector.set_nodelay(true);
    BoxCloneSyncService::new(service_fn(move |uri| {
        let mut connector = connector.clone();
        let limit = settings.borrow().deliver.connect_timeout;
        connector.set_connect_timeout(Some(limit / 2));
        connector.oneshot(uri).map_err(Into::into)
    }))
}

/// How many lookups may run at the same time: for names that resolved
/// last time, and for other names. A lookup occupies a thread until the
/// operating system gives up. Tokio has 512 such threads, and files and
/// the lookups of databases' names need them, too.
const LOOKUPS: [usize; 2] = [100, 100];

/// For this long, other connections reuse a lookup's result.
const FRESH: Duration = Duration::from_secs(1);

/// A blocking function that looks up a name.
type LookUp = fn(&str) -> io::Result<Found>;
type Found = std::vec::IntoIter<SocketAddr>;

/// Limits and shares lookups. A name whose DNS server is silent delays
/// only other such names and new names, unless the servers of over a
/// hundred names fall silent at the same time.
pub struct Lookups {
    look_up: LookUp,
    places: [Arc<Semaphore>; 2],
    names: Mutex<HashMap<Name, Arc<AsyncMutex<Last>>>>,
}

/// The time and addresses of a name's last lookup, if it succeeded.
type Last = Option<(Instant, Vec<SocketAddr>)>;

impl Lookups {
    /// `look_up` may block until it has found the addresses.
    pub fn new(look_up: LookUp) -> Arc<Self> {
        let places = LOOKUPS.map(Semaphore::new).map(Arc::new);
        Arc::new(Self { look_up, places, names: Mutex::default() })
    }

    /// The name's last result, locked while a lookup is running.
    fn last(&self, name: &Name) -> Arc<AsyncMutex<Last>> {
        let names = self.names.lock();
        let mut all = names.unwrap_or_else(PoisonError::into_inner);
        if all.len() > 10_000 {
            // Most of these names aren't in use anymore.
            all.retain(|_, it| Arc::strong_count(it) > 1);
        }
        Arc::clone(all.entry(name.clone()).or_default())
    }

    // ANCHOR: resolve
    /// Resolves a name, and leaves out special addresses.
    pub async fn resolve(
        self: Arc<Self>,
        name: Name,
        private: bool,
    ) -> io::Result<Found> {
        let text = format!("{name} has no public address");
        let mut last = self.last(&name).lock_owned().await;
        let found = match &*last {
            Some((at, all)) if at.elapsed() < FRESH => all.clone(),
            other => {
                let new = usize::from(other.is_none());
                let place = Arc::clone(&self.places[new]);
                let place = place.acquire_owned().await;
                let looking = spawn_blocking(move || {
                    // A lookup can't be canceled. It keeps its place
                    // and the name's lock until it returns.
                    let _place = place;
                    *last = None;
                    let all = (self.look_up)(name.as_str())?;
                    let all = Vec::from_iter(all);
                    *last = Some((Instant::now(), all.clone()));
                    io::Result::Ok(all)
                });
                looking.await??
            }
        };
        let allowed = |it: &SocketAddr| private || is_public(it.ip());
        let found: Vec<_> = found.into_iter().filter(allowed).collect();
        match found.is_empty() {
            true => Err(io::Error::other(text)),
            false => Ok(found.into_iter()),
        }
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
