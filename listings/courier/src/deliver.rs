//! One attempt: a signed request to a subscription's URL.

mod dial;

use std::{
    error::Error,
    net::ToSocketAddrs,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use jiff::{Timestamp, fmt::rfc2822};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tower::service_fn;

use dial::dial;
pub use dial::{Connector, Dial, Lookups, tcp_within};

use crate::{config::Settings, event::Lease, sign::sign};

/// Makes attempts.
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Sends an event once. If it's dropped, or if it fails, the
    /// receiver may have the event nevertheless.
    async fn attempt(&self, lease: &Lease) -> Answer;
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has the event (2xx).
    Delivered,
    /// It answered with any other status. Redirects aren't followed.
    /// 410 means that the receiver doesn't want any events.
    Refused {
        /// Its status.
        status: StatusCode,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Why there was no answer: see [`failed`](Self::failed).
    Failed(String),
}

// ANCHOR: well
impl Answer {
    /// Whether the receiver works. It does if it refuses an event for
    /// what's in it, for example with 400 or 422.
    pub fn is_well(&self) -> bool {
        const UNWELL: [u16; 5] = [401, 403, 404, 408, 429];
        match self {
            Self::Delivered => true,
            Self::Refused { status, .. } => {
                status.is_client_error()
                    && !UNWELL.contains(&status.as_u16())
            }
            Self::Failed(_) => false,
        }
    }
}
// ANCHOR_END: well

type BoxError = Box<dyn Error + Send + Sync>;

/// The dispatcher drops an attempt that takes longer than its timeout
/// and this.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);
/// The rest of an answer is read for so long: its status has decided,
/// and all that's at stake is whether the connection can be reused.
const REST: Duration = Duration::from_secs(1);
/// Unused connections are closed after this time.
const IDLE: Duration = Duration::from_secs(20);
/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 32 * 1024;

type Sender<T> = Client<Dial<T>, Full<Bytes>>;
type Tls = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Sends events over HTTP/1.1, and keeps connections for a while.
///
/// An attempt takes at most `attempt_timeout`, and a second for the
/// rest of the answer.
pub struct HttpDeliver<T = Tls> {
    // Two, so that no connection to a private address is left over
    // when the setting changes.
    public: Sender<T>,
    any: Sender<T>,
    settings: watch::Receiver<Arc<Settings>>,
}

impl HttpDeliver {
    /// Over TCP, and TLS with Mozilla's roots.
    pub fn new(settings: watch::Receiver<Arc<Settings>>) -> Self {
        let lookups = Lookups::new(|name| (name, 0).to_socket_addrs());
        let [public, any] = [false, true].map(|private| {
            let lookups = lookups.clone();
            let resolve =
                move |name| lookups.clone().resolve(name, private);
            let resolve = service_fn(resolve);
            let tcp = HttpConnector::new_with_resolver(resolve);
            HttpsConnectorBuilder::new()
                .with_webpki_roots()
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp_within(tcp, settings.clone()))
        });
        Self::over(public, any, settings)
    }
}

impl<T> HttpDeliver<T>
where
    Dial<T>: Connect,
{
    /// Over other connections, for example simulated ones. The
    /// connector must refuse names of private addresses itself.
    pub fn with_connector(
        connector: impl Connector<T>,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Self {
        Self::over(connector.clone(), connector, settings)
    }

    fn over(
        public: impl Connector<T>,
        any: impl Connector<T>,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Self {
        // The client sends a request again only if nothing of it
        // has been written, because an idle connection was closed.
        // So these retries never deliver a request twice.
        let client = |dial| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(10)
                .http1_max_buf_size(MAX_HEAD)
                .build(dial)
        };
        let public = client(dial(public, false, settings.clone()));
        let any = client(dial(any, true, settings.clone()));
        Self { public, any, settings }
    }
}

#[async_trait]
impl<T: 'static> Deliver for HttpDeliver<T>
where
    Dial<T>: Connect,
{
    // ANCHOR: attempt
    async fn attempt(&self, lease: &Lease) -> Answer {
        let set = self.settings.borrow().deliver.clone();
        let client = if set.private_addresses {
            &self.any
        } else {
            &self.public
        };
        let request = match request(lease) {
            Ok(request) => client.request(request),
            Err(error) => return Answer::failed(error),
        };
        match timeout(set.attempt_timeout, request).await {
            Ok(Ok(answer)) => {
                let (head, body) = answer.into_parts();
                let rest = read(body, set.max_answer);
                // If the body isn't read to its end, the connection closes.
                let _ = timeout(REST, rest).await;
                Answer::of(head.status, &head.headers)
            }
            Ok(Err(error)) => Answer::failed(error),
            Err(_) => {
                Answer::failed(late("answer", set.attempt_timeout))
            }
        }
    }
    // ANCHOR_END: attempt
}

impl Answer {
    /// An attempt without an answer. Its text is the error and all the
    /// error's causes, in at most 500 bytes.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text.truncate(text.floor_char_boundary(500));
        Self::Failed(text)
    }

    // ANCHOR: answer
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        if status.is_success() {
            return Self::Delivered;
        }
        let value = headers.get(RETRY_AFTER);
        let text = value.and_then(|it| it.to_str().ok());
        let retry_after = text.and_then(retry_after);
        Self::Refused { status, retry_after }
    }
    // ANCHOR_END: answer
}

fn late(what: &str, limit: Duration) -> BoxError {
    format!("no {what} within {limit:?}").into()
}

/// Seconds, of which there may be absurdly many, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    let digits =
        |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    if !text.is_empty() && digits(text) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds));
    }
    let date =
        rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let left = date.duration_since(Timestamp::now());
    Some(left.try_into().unwrap_or_default())
}

// ANCHOR: request
fn request(lease: &Lease) -> Result<Request<Full<Bytes>>, BoxError> {
    let (event, to) = (&lease.event, &lease.subscription);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let id = event.id.as_str();
    let signature = sign(&to.secret, id, now, &event.body);
    let json =
        serde_json::from_slice::<serde::de::IgnoredAny>(&event.body);
    let content = match json {
        Ok(_) => "application/json",
        Err(_) => "application/octet-stream",
    };
    let request = Request::post(to.url.as_str())
        .header("webhook-id", id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", signature)
        .header("courier-topic", event.topic.as_str())
        .header(CONTENT_TYPE, content)
        .header(
            USER_AGENT,
            concat!("courier/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(event.body.clone()))?;
    Ok(request)
}
// ANCHOR_END: request

// ANCHOR: read
async fn read(mut body: Incoming, most: usize) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > most {
            return;
        }
    }
}
// ANCHOR_END: read
