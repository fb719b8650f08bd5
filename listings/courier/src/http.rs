//! The HTTP interface: accepts events, and lets operators see and
//! change the queue.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /events/{topic}`, with the headers `idempotency-key` and `ordering-key`, which are optional | 202: it's durable; 200: it was before; 422: the key was used for another event |
//! | `GET`, `PUT`, `DELETE /subscriptions/{name}`, `GET /subscriptions` | 409: there are too many |
//! | `GET /backlog`, `GET /dead`, `POST /dead/{delivery}/redeliver` | |
//! | `GET /metrics`, `GET /` | Prometheus; a status page |
//! | `GET /live`, `GET /ready` | 200 or 503, without a token |
//!
//! Errors are JSON, `{"error": ".."}`, and say what to do. After a 503,
//! whether courier has the event is unknown: send it again with the
//! same `idempotency-key`.

mod page;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, RequestPartsExt, Router,
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequestParts, Path, Request, State,
    },
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::{get, post, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use url::Url;

use crate::{
    config::Settings,
    event::{BadName, DeliveryId, Event, Name, Secret, Subscription},
    metrics::Metrics,
    store::{AcceptError, Accepted, SharedStore, StoreError},
};

/// After a silence of this length, in addition to a poll, the
/// dispatcher counts as hung.
const HUNG: Duration = Duration::from_secs(60);
/// How long the result of a ping counts, and how long the store may
/// take to answer it.
const PING: Duration = Duration::from_secs(1);
/// How many dead deliveries are shown.
const DEAD: usize = 100;

/// What the handlers share.
pub struct Api {
    /// Where events are kept.
    pub store: SharedStore,
    /// The current settings.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The process's counters.
    pub metrics: Metrics,
    /// Who may use it; without one, only clients on this machine.
    pub token: Option<Token>,
    /// The service is stopping, and no longer ready.
    pub stop: CancellationToken,
    /// When the store was pinged, and whether it answered.
    pub pinged: Mutex<Option<(Instant, bool)>>,
    /// A subscription is being changed.
    pub subscribing: Mutex<()>,
}

type Shared = State<Arc<Api>>;
type Answer<T> = Result<T, Refused>;

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    let named = put(subscribe).delete(unsubscribe).get(subscription);
    let guarded = Router::new()
        .route("/", get(status))
        .route("/metrics", get(render))
        .route("/events/{topic}", post(accept))
        .route("/subscriptions", get(subscriptions))
        .route("/subscriptions/{name}", named)
        .route("/backlog", get(backlog))
        .route("/dead", get(dead))
        .route("/dead/{delivery}/redeliver", post(redeliver))
        .fallback(async || missing("path; names mustn't be empty"))
        .method_not_allowed_fallback(async || {
            refused(StatusCode::METHOD_NOT_ALLOWED, "see Allow")
        })
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(api.clone(), guard));
    with_probes(guarded, api)
}

/// Only the routes that report the process's health, without a token.
pub fn probes(api: Arc<Api>) -> Router {
    with_probes(Router::new(), api)
}

fn with_probes(others: Router<Arc<Api>>, api: Arc<Api>) -> Router {
    let metrics = api.metrics.clone();
    others
        .route("/live", get(live))
        .route("/ready", get(ready))
        .layer(CatchPanicLayer::custom(move |panic| {
            metrics.panicked.inc();
            let text = crate::service::panic_text(panic);
            tracing::error!(%text, "a handler panicked");
            let text = "a bug in courier; its log says more";
            refused(StatusCode::INTERNAL_SERVER_ERROR, text)
                .into_response()
        }))
        .with_state(api)
}

/// Checks a request, reads its body, and lets it pass if there's room;
/// all within the time limit.
///
/// It takes its place only when its body is there, so slow clients take
/// no places.
async fn guard(
    State(api): Shared,
    request: Request,
    next: Next,
) -> Answer<Response> {
    // ANCHOR: guard
    authorize(&api, &request)?;
    let limits = api.settings.borrow().accept.clone();
    let deadline = Instant::now() + limits.request_timeout;
    let (parts, body) = request.into_parts();
    let too_large = || {
        let text = format!("at most {} bytes", limits.max_body);
        refused(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    if body.size_hint().lower() > limits.max_body as u64 {
        return Err(too_large());
    }
    let body = whole(Limited::new(body, limits.max_body));
    let Ok(body) = timeout_at(deadline, body).await else {
        let text = "the request didn't arrive in time";
        return Err(refused(StatusCode::REQUEST_TIMEOUT, text));
    };
    let body = body.map_err(|error| match error.downcast_ref() {
        Some(LengthLimitError { .. }) => too_large(),
        None => bad("the request's body is incomplete"),
    })?;
    let working = api.metrics.working();
    if working.before >= limits.requests {
        api.metrics.refused("requests");
        return Err(unavailable("too many requests; try again"));
    }
    let request = Request::from_parts(parts, body.into());
    let answer = timeout_at(deadline, next.run(request)).await;
    answer.map_err(|_| {
        api.metrics.refused("timeout");
        unavailable("it took too long; try again, with the same key")
    })
    // ANCHOR_END: guard
}

/// Copies a body: each of its parts, even a single byte, may hold a
/// buffer of kilobytes.
async fn whole(
    mut body: Limited<Body>,
) -> Result<Bytes, axum::BoxError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// Lets clients pass that have the token, or that are on this machine,
/// if there's none.
///
/// Web pages can make a browser send requests, even with a password
/// that it has stored. So nothing that changes something may come from
/// one, and without a token, the request must be meant for this machine
/// (the name of another one can lead here: DNS rebinding).
fn authorize(api: &Api, request: &Request) -> Answer<()> {
    // ANCHOR: local
    let headers = request.headers();
    let from_page = headers.contains_key(header::ORIGIN);
    if from_page && request.method() != Method::GET {
        let text = "web pages can't change anything here";
        return Err(refused(StatusCode::FORBIDDEN, text));
    }
    let text = |name| headers.get(name)?.to_str().ok();
    let Some(token) = &api.token else {
        let host = text(header::HOST)
            .and_then(|it| Url::parse(&format!("http://{it}")).ok());
        if host.is_some_and(|it| is_loopback(&it)) {
            return Ok(());
        }
        let text = "without a token, only requests to localhost, \
            127.0.0.1, or [::1] are served; see --token-file";
        return Err(refused(StatusCode::FORBIDDEN, text));
    };
    // ANCHOR_END: local
    let given = text(header::AUTHORIZATION).unwrap_or_default();
    let basic = || {
        let it = BASE64_STANDARD.decode(given.strip_prefix("Basic ")?);
        let it = String::from_utf8(it.ok()?).ok()?;
        Some(it.split_once(':')?.1.to_owned())
    };
    let bearer = given.strip_prefix("Bearer ").map(str::to_owned);
    match bearer.or_else(basic) {
        Some(given) if token.is(&given) => Ok(()),
        _ => {
            let text = "send the token: Authorization: Bearer TOKEN \
                (or as the password, in a browser)";
            Err(refused(StatusCode::UNAUTHORIZED, text))
        }
    }
}

/// Whether a URL is for this machine only.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        _ if !url.username().is_empty() => false,
        Some(url::Host::Domain(it)) => it == "localhost",
        Some(url::Host::Ipv4(it)) => it.is_loopback(),
        Some(url::Host::Ipv6(it)) => it.is_loopback(),
        None => false,
    }
}

/// The password of the interface. It's never printed.
pub struct Token([u8; 32]);

impl Token {
    /// A token that clients must send.
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Compares in a time that says nothing about the token.
    fn is(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let pairs = self.0.iter().zip(given);
        pairs.fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

/// An answer that isn't the wanted one.
struct Refused(StatusCode, String);

fn refused(status: StatusCode, why: impl ToString) -> Refused {
    Refused(status, why.to_string())
}

fn bad(why: impl ToString) -> Refused {
    refused(StatusCode::BAD_REQUEST, why)
}

fn unavailable(why: &str) -> Refused {
    refused(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn missing(what: &str) -> Refused {
    refused(StatusCode::NOT_FOUND, format!("there's no such {what}"))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, error) = self;
        let body = Json(json!({ "error": error }));
        let mut answer = (status, body).into_response();
        let extra = match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                (header::RETRY_AFTER, "1")
            }
            StatusCode::UNAUTHORIZED => {
                (header::WWW_AUTHENTICATE, "Basic realm=\"courier\"")
            }
            _ => return answer,
        };
        let value = header::HeaderValue::from_static(extra.1);
        answer.headers_mut().insert(extra.0, value);
        answer
    }
}

impl Api {
    /// Waits for the store; logs and counts its failure.
    async fn stored<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Answer<T> {
        call.await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: StoreError) -> Refused {
        self.metrics.store_failures.inc();
        tracing::error!("{:#}", anyhow::Error::from(error));
        unavailable("the store failed; try again, with the same key")
    }
}

/// A part of the path.
struct Part<T>(T);

impl<S, T> FromRequestParts<S> for Part<T>
where
    S: Sync,
    T: DeserializeOwned + Send + 'static,
{
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Answer<Self> {
        let part = parts.extract::<Path<T>>().await;
        let Path(part) = part.map_err(|it| bad(it.body_text()))?;
        Ok(Self(part))
    }
}

/// A name that may be stored. It isn't `.` or `..`, because proxies and
/// clients resolve these as folders.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct New(Name);

impl TryFrom<String> for New {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        match &*text {
            "." | ".." => Err(BadName),
            _ => text.try_into().map(Self),
        }
    }
}

async fn accept(
    State(api): Shared,
    Part(New(topic)): Part<New>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    // ANCHOR: headers
    let text = |name| {
        let value = headers.get(name).map(|it| it.as_bytes());
        let text = value.map(|it| String::from_utf8(it.to_vec()));
        text.transpose().map_err(|_| bad(format!("{name}: not UTF-8")))
    };
    let id = match text("idempotency-key")? {
        Some(id) => id,
        None => uuid::Uuid::now_v7().to_string(),
    };
    let id = Name::try_from(id)
        .map_err(|error| bad(format!("idempotency-key: {error}")))?;
    if id.as_str().contains('.') {
        let text =
            "idempotency-key: no '.', which separates what's signed";
        return Err(bad(text));
    }
    let key = text("ordering-key")?;
    let length = key.as_ref().map_or(1, String::len);
    if !(1..=Event::MAX_KEY).contains(&length) {
        let most = Event::MAX_KEY;
        return Err(bad(format!("ordering-key: 1 to {most} bytes")));
    }
    let event = Event { id, topic, key, body };
    // ANCHOR_END: headers
    // ANCHOR: answers
    let accepted = api.store.accept(&event).await;
    let (counted, answer) = match accepted {
        Ok(Accepted::New(deliveries)) => {
            let body =
                json!({ "id": event.id, "deliveries": deliveries });
            let answer = (StatusCode::ACCEPTED, Json(body));
            ("new", Ok(answer.into_response()))
        }
        Ok(Accepted::Again) => {
            let body = json!({ "id": event.id });
            ("again", Ok(Json(body).into_response()))
        }
        Err(error @ AcceptError::IdReused) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            ("reused", Err(refused(status, error)))
        }
        Err(AcceptError::Full) => {
            ("full", Err(unavailable("the queue is full; try again")))
        }
        Err(AcceptError::Store(error)) => {
            ("error", Err(api.failed(error)))
        }
    };
    // ANCHOR_END: answers
    api.metrics.accepted(counted);
    answer
}

/// A subscription, as a client sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    #[serde(default)]
    topics: Vec<New>,
    secret: Option<String>,
}

/// A subscription, as clients see it.
fn view(it: &Subscription) -> Value {
    let (name, url, topics) = (&it.name, it.url.as_str(), &it.topics);
    json!({ "name": name, "url": url, "topics": topics })
}

/// Without a secret, the subscription keeps the one it has, or gets a
/// new one. Either way, the answer contains it.
async fn subscribe(
    State(api): Shared,
    Part(New(name)): Part<New>,
    body: Bytes,
) -> Answer<Json<Value>> {
    let wanted =
        serde_json::from_slice::<Wanted>(&body).map_err(bad)?;
    let url = destination(&wanted.url).map_err(bad)?;
    // Or else each of two clients would get a secret of its own.
    let _one_by_one = api.subscribing.lock().await;
    let all = api.stored(api.store.subscriptions()).await?;
    let old = all.into_iter().find(|it| it.name == name);
    let secret = match &wanted.secret {
        Some(secret) => secret.parse::<Secret>().map_err(bad)?,
        None => match old {
            Some(old) => old.secret,
            None => Secret::generate().map_err(|error| {
                tracing::error!(%error, "no random bytes");
                unavailable("no secret can be generated; try again")
            })?,
        },
    };
    let shown = wanted.secret.is_none().then(|| secret.expose());
    let topics = wanted.topics.into_iter().map(|New(it)| it).collect();
    let new = Subscription { name, url, topics, secret };
    let most = api.settings.borrow().accept.subscriptions;
    if !api.stored(api.store.subscribe(&new, most)).await? {
        let text = format!(
            "at most {most} subscriptions; see accept.subscriptions"
        );
        return Err(refused(StatusCode::CONFLICT, text));
    }
    let mut view = view(&new);
    if let Some(secret) = shown {
        view["secret"] = secret.into();
    }
    Ok(Json(view))
}

/// Checks a URL that events are sent to.
fn destination(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "url: not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("url: only http and https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url: no user or password; verify signatures");
    }
    if text.len() > 2048 {
        return Err("url: at most 2048 bytes");
    }
    Ok(url)
}

async fn subscription(
    State(api): Shared,
    Part(name): Part<Name>,
) -> Answer<Json<Value>> {
    let all = api.stored(api.store.subscriptions()).await?;
    let found = all.iter().find(|it| it.name == name);
    let found = found.ok_or_else(|| missing("subscription"))?;
    Ok(Json(view(found)))
}

async fn subscriptions(State(api): Shared) -> Answer<Json<Value>> {
    let all = api.stored(api.store.subscriptions()).await?;
    Ok(Json(all.iter().map(view).collect()))
}

async fn unsubscribe(
    State(api): Shared,
    Part(name): Part<Name>,
) -> Answer<StatusCode> {
    let existed = api.stored(api.store.unsubscribe(&name)).await?;
    done(existed, "subscription")
}

async fn backlog(State(api): Shared) -> Answer<Json<Value>> {
    Ok(Json(json!(api.stored(api.store.backlog()).await?)))
}

async fn dead(State(api): Shared) -> Answer<Json<Value>> {
    Ok(Json(json!(api.stored(api.store.dead(DEAD)).await?)))
}

async fn redeliver(
    State(api): Shared,
    Part(delivery): Part<DeliveryId>,
) -> Answer<StatusCode> {
    let existed = api.stored(api.store.redeliver(delivery)).await?;
    done(existed, "dead delivery")
}

fn done(existed: bool, what: &str) -> Answer<StatusCode> {
    existed
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(|| missing(what))
}

/// The counters are readable even if the store isn't.
async fn render(State(api): Shared) -> impl IntoResponse {
    let backlog = api.stored(api.store.backlog());
    let backlog = timeout(5 * PING, backlog).await;
    let backlog = backlog.map(Result::unwrap_or_default);
    let backlog = backlog.unwrap_or_default();
    let form = "application/openmetrics-text; version=1.0.0";
    ([(header::CONTENT_TYPE, form)], api.metrics.render(&backlog))
}

async fn status(State(api): Shared) -> Answer<impl IntoResponse> {
    let backlog = api.stored(api.store.backlog()).await?;
    let all = api.stored(api.store.subscriptions()).await?;
    let dead = api.stored(api.store.dead(DEAD)).await?;
    let ready = is_ready(&api).await;
    let html = page::page(ready, &backlog, &all, &dead);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; \
        frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Html(html)))
}

/// Whether new events can be accepted: the store answers, and courier
/// isn't stopping.
async fn is_ready(api: &Api) -> bool {
    if api.stop.is_cancelled() {
        return false;
    }
    let mut pinged = api.pinged.lock().await;
    let recent = pinged.filter(|(when, _)| when.elapsed() < PING);
    if let Some((_, answered)) = recent {
        return answered;
    }
    let answer = timeout(PING, api.store.ping()).await;
    let answered = answer.is_ok_and(|it| it.is_ok());
    *pinged = Some((Instant::now(), answered));
    answered && !api.stop.is_cancelled()
}

// ANCHOR: health
async fn ready(State(api): Shared) -> Answer<&'static str> {
    let not = || unavailable("stopping, or the store doesn't answer");
    is_ready(&api).await.then_some("ready\n").ok_or_else(not)
}

/// Fails only if the dispatcher hangs, because only then would a restart
/// help.
async fn live(State(api): Shared) -> Answer<&'static str> {
    let longest = HUNG + api.settings.borrow().deliver.poll;
    let hangs = api.metrics.since_beat() > longest;
    let stops = api.stop.is_cancelled();
    let not = || unavailable("the dispatcher hangs");
    (stops || !hangs).then_some("live\n").ok_or_else(not)
}
// ANCHOR_END: health
