//! A rate limit for each client: 429 with Retry-After, and idle clients
//! are forgotten.

// ANCHOR: limits
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware,
    nanos::Nanos, state::keyed::HashMapStateStore,
};
use tokio::time::{Duration, Instant};

/// A bucket for each client.
struct Limits {
    buckets: RateLimiter<
        IpAddr,
        HashMapStateStore<IpAddr>,
        TokioClock,
        NoOpMiddleware<Nanos>,
    >,
    requests: AtomicU32,
}

impl Limits {
    fn new(quota: Quota) -> Self {
        let store = HashMapStateStore::default();
        let buckets = RateLimiter::new(quota, store, TokioClock::new());
        Self { buckets, requests: AtomicU32::new(0) }
    }

    /// If the client has to wait, the error says how long.
    fn check(&self, client: IpAddr) -> Result<(), Duration> {
        if self.requests.fetch_add(1, Relaxed) % 1024 == 1023 {
            // Forget the clients whose buckets are full again.
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        let now = self.buckets.clock().now();
        let checked = self.buckets.check_key(&network(client));
        checked.map_err(|until| until.wait_time_from(now))
    }
}
// ANCHOR_END: limits

// ANCHOR: clock
/// Returns an IPv4 address, or the network of an IPv6 address, because a
/// client can choose any address in its network.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(it) => IpAddr::V6((it.to_bits() >> 64 << 64).into()),
        client => client,
    }
}

/// Tokio's time, which tests can pause.
#[derive(Clone)]
struct TokioClock(Instant);

impl TokioClock {
    fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}
// ANCHOR_END: clock

// ANCHOR: limited
use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// `ConnectInfo` needs `into_make_service_with_connect_info`.
async fn limited(
    State(limits): State<Arc<Limits>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let Err(wait) = limits.check(peer.ip()) else {
        return next.run(request).await;
    };
    // Rounded up to whole seconds, so that no client returns too early.
    let seconds = wait.as_nanos().div_ceil(1_000_000_000).to_string();
    let retry = [(RETRY_AFTER, seconds)];
    (StatusCode::TOO_MANY_REQUESTS, retry).into_response()
}
// ANCHOR_END: limited

use std::num::NonZeroU32;

use axum::{
    Router, body::Body, middleware::from_fn_with_state, routing::get,
};
use tokio::time::advance;
use tower::ServiceExt;

/// Two requests immediately, and one more every ten seconds.
fn shop() -> (Router, Arc<Limits>) {
    let quota = Quota::with_period(Duration::from_secs(10));
    let quota = quota.expect("the period isn't zero");
    let burst = NonZeroU32::MIN.saturating_add(1);
    let limits = Arc::new(Limits::new(quota.allow_burst(burst)));
    let layer = from_fn_with_state(Arc::clone(&limits), limited);
    let routes =
        Router::new().route("/price", get(async || "12 euros"));
    (routes.layer(layer), limits)
}

/// Asks for a price, with the address as `axum::serve` would add it.
async fn ask(shop: &Router, client: IpAddr) -> (u16, Option<String>) {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/price".parse().expect("a path");
    let peer = SocketAddr::new(client, 50_000);
    request.extensions_mut().insert(ConnectInfo(peer));
    let Ok(answer) = shop.clone().oneshot(request).await;
    let retry = answer
        .headers()
        .get(RETRY_AFTER)
        .map(|value| value.to_str().expect("it's a number").to_owned());
    (answer.status().as_u16(), retry)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (shop, limits) = shop();
    let clients =
        [7, 7, 7, 8].map(|it| IpAddr::from([198, 51, 100, it]));
    for client in clients {
        let (status, retry) = ask(&shop, client).await;
        let retry = retry.map(|it| format!(", Retry-After: {it}"));
        println!("{client}: {status}{}", retry.unwrap_or_default());
    }
    advance(Duration::from_secs(10)).await;
    let (status, _) = ask(&shop, clients[0]).await;
    println!("{}: {status}, after 10 s", clients[0]);

    for it in 0..1000_u16 {
        let [high, low] = it.to_be_bytes();
        ask(&shop, IpAddr::from([203, 0, high, low])).await;
    }
    println!("clients: {}", limits.buckets.len());
    advance(Duration::from_secs(60)).await;
    for _ in 0..19 {
        ask(&shop, clients[3]).await;
    }
    println!("clients, after 1024 requests: {}", limits.buckets.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: IpAddr =
        IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    #[tokio::test(start_paused = true)]
    async fn overload_of_one_client_leaves_the_others() {
        let (shop, _) = shop();
        let mut served = 0;
        for _ in 0..100 {
            served += u32::from(ask(&shop, SEVEN).await.0 == 200);
        }
        assert_eq!(served, 2);
        let eight = IpAddr::from([198, 51, 100, 8]);
        assert_eq!(ask(&shop, eight).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn again_after_the_requested_wait_succeeds() {
        let (shop, _) = shop();
        for _ in 0..10 {
            let (status, retry) = ask(&shop, SEVEN).await;
            if let Some(retry) = retry {
                assert_eq!(status, 429);
                let wait = Duration::from_secs(retry.parse().unwrap());
                advance(wait).await;
                assert_eq!(ask(&shop, SEVEN).await.0, 200);
            }
            advance(Duration::from_millis(1234)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_part_of_a_second_is_rounded_up() {
        let (shop, _) = shop();
        ask(&shop, SEVEN).await;
        ask(&shop, SEVEN).await;
        advance(Duration::from_millis(9999)).await;
        let expected = (429, Some("1".to_owned()));
        assert_eq!(ask(&shop, SEVEN).await, expected);
        advance(Duration::from_micros(999)).await;
        assert_eq!(ask(&shop, SEVEN).await, expected);
        advance(Duration::from_micros(1)).await;
        assert_eq!(ask(&shop, SEVEN).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_addresses_of_a_network_share_a_bucket() {
        let (shop, _) = shop();
        for (client, status) in [
            ("2001:db8::1", 200),
            ("2001:db8::2", 200),
            ("2001:db8::ffff:3", 429),
            ("2001:db8:0:1::1", 200),
            ("198.51.100.7", 200),
            ("::ffff:198.51.100.7", 200),
            ("198.51.100.7", 429),
        ] {
            let answer = ask(&shop, client.parse().unwrap()).await;
            assert_eq!(answer.0, status, "{client}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_clients_frees_their_memory() {
        let (shop, limits) = shop();
        for it in 0..10_000_u32 {
            ask(&shop, IpAddr::from((0xcb00_0000 + it).to_be_bytes()))
                .await;
            advance(Duration::from_millis(10)).await;
        }
        // Those of 20 s, and those since the last cleanup.
        let kept = limits.buckets.len();
        assert!(kept <= 2000 + 1024, "{kept}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_never_allow_more() {
        let (shop, _) = shop();
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let shop = shop.clone();
            asked.spawn(async move { ask(&shop, SEVEN).await.0 });
        }
        let answers = asked.join_all().await;
        assert_eq!(answers.iter().filter(|&&it| it == 200).count(), 2);
    }

    #[tokio::test]
    async fn failure_without_an_address_is_a_500() {
        let (shop, _) = shop();
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/price".parse().unwrap();
        let Ok(answer) = shop.oneshot(request).await;
        assert_eq!(answer.status(), 500);
    }
}
