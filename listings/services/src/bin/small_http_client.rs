//! Call a supplier over HTTP with limits, retries, and the supplier's own error.

// ANCHOR: client
use std::{sync::Arc, time::Duration};

use anyhow::{Context, Error, anyhow, ensure};
use reqwest::{Client, Response, Url, header, redirect};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A clone is cheap, and shares the connections and the places.
#[derive(Clone)]
struct Supplier {
    http: Client,
    prices: Url,
    places: Arc<Semaphore>,
    limit: Duration, // For all tries, pauses, and waits.
}

impl Supplier {
    fn new(prices: Url, limit: Duration) -> reqwest::Result<Self> {
        let http = Client::builder()
            .connect_timeout(limit / 4)
            .timeout(limit / 3) // For a try, including its body.
            .redirect(redirect::Policy::none())
            .no_proxy() // This program's supplier is on loopback.
            .build()?;
        let places = Arc::new(Semaphore::new(PLACES));
        Ok(Self { http, prices, places, limit })
    }
}
// ANCHOR_END: client

// ANCHOR: price
impl Supplier {
    /// Returns the error of the last try that has ended.
    async fn price(&self, item: &str) -> anyhow::Result<u32> {
        // `push` removes tabs: ".\t." would lead to the parent folder.
        let dots = matches!(item, "" | "." | "..");
        let odd = dots || item.contains(char::is_control);
        ensure!(!odd, "not an item");
        let mut url = self.prices.clone();
        let path = url.path_segments_mut().ok(); // Not `join`.
        path.context("not http")?.pop_if_empty().push(item);
        let ends = Instant::now() + self.limit;
        let mut last =
            anyhow!("no place or answer in {:?}", self.limit);
        for tries in 0..TRIES {
            let once = self.once(url.clone());
            let Ok(tried) = timeout_at(ends, once).await else { break };
            let wish = match tried {
                Ok(price) => return Ok(price),
                Err(Failed { error, again: None }) => {
                    return Err(error);
                }
                Err(Failed { error, again: Some(wish) }) => {
                    last = error;
                    wish
                }
            };
            let backoff = PAUSE * (1 << tries);
            let jitter = backoff.mul_f64(fastrand::f64());
            let pause = wish.saturating_add(backoff + jitter);
            let next = Instant::now().checked_add(pause);
            match next.filter(|next| *next < ends) {
                Some(next) if tries + 1 < TRIES => {
                    sleep_until(next).await
                }
                _ => break, // Don't wait for nothing.
            }
        }
        Err(last)
    }
}
// ANCHOR_END: price

// ANCHOR: failed
struct Failed {
    error: Error,
    /// What the supplier wants us to wait, if a retry makes sense.
    again: Option<Duration>,
}

/// No answer, or half of one: reading a price again does no harm.
impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self { error: error.into(), again: Some(Duration::ZERO) }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, again: None }
    }
}

/// In seconds. A date isn't read, and counts as too long.
fn retry_after(answer: &Response) -> Duration {
    let Some(value) = answer.headers().get(header::RETRY_AFTER) else {
        return Duration::ZERO;
    };
    let seconds = value.to_str().ok().and_then(|it| it.parse().ok());
    seconds.map_or(Duration::MAX, Duration::from_secs)
}
// ANCHOR_END: failed

// ANCHOR: once
impl Supplier {
    /// Holds a place, but not during the pause before the next try.
    async fn once(&self, url: Url) -> Result<u32, Failed> {
        let _place =
            self.places.acquire().await.map_err(Error::from)?;
        let mut answer = self.http.get(url).send().await?;
        let status = answer.status();
        if !status.is_success() {
            let error = anyhow!("the supplier answered {status}");
            let again = matches!(status.as_u16(), 429 | 502..=504);
            let again = again.then(|| retry_after(&answer));
            return Err(Failed { error, again });
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > MOST {
                return Err(anyhow!("more than {MOST} bytes").into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(serde_json::from_slice(&body).context("no price")?)
    }
}
// ANCHOR_END: once

const PLACES: usize = 4;
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);
const MOST: usize = 64 * 1024;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    Router, http::StatusCode, response::IntoResponse, routing::get,
};
use tokio::{net::TcpListener, task::JoinSet};

/// A supplier that's stopped when this is dropped.
struct Server {
    prices: Url,
    asked: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

impl Server {
    /// The path says what it answers.
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let prices = format!("http://{}/", listener.local_addr()?);
        let asked = Arc::new(AtomicUsize::new(0));
        let asked_again = asked.clone();
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let wait = move |seconds: &'static str| {
            (busy, [("retry-after", seconds)]).into_response()
        };
        let first_busy = async move || match asked_again
            .fetch_add(1, Ordering::Relaxed)
        {
            0 | 1 => busy.into_response(),
            _ => "12".into_response(),
        };
        let routes = Router::new()
            .route("/tea", get(async || "12"))
            .route("/busy", get(first_busy))
            .route("/second", get(async move || wait("1")))
            .route("/year", get(async move || wait("31536000")))
            .route(
                "/ever",
                get(async move || wait("18446744073709551615")),
            )
            .route("/date", get(async move || wait("Fri, 31 Dec 2055")))
            .route("/soon", get(async move || wait("0")))
            .route("/silent", get(std::future::pending::<()>))
            .route("/moved", get(async || StatusCode::FOUND))
            .route("/long", get(async || "1".repeat(MOST + 1)))
            .route("/a%2Fb", get(async || "7"))
            .route("/free", get(async || "free"));
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                eprintln!("the supplier has stopped: {error}");
            }
        });
        Ok(Self { prices: prices.parse()?, asked, _running: running })
    }

    fn client(&self, limit: Duration) -> reqwest::Result<Supplier> {
        Supplier::new(self.prices.clone(), limit)
    }
}

const LIMIT: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let supplier = server.client(LIMIT)?;
    for item in ["busy", "year", "milk"] {
        match supplier.price(item).await {
            Ok(price) => println!("{item}: {price} euros"),
            Err(error) => println!("{item}: {error:#}"),
        }
    }
    println!(
        "asked for busy: {}",
        server.asked.load(Ordering::Relaxed)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = anyhow::Result<()>;

    const SHORT: Duration = Duration::from_millis(600);

    async fn error(supplier: &Supplier, item: &str) -> String {
        let start = Instant::now();
        let error = supplier.price(item).await.expect_err("no price");
        assert!(start.elapsed() < supplier.limit * 2, "{error}");
        format!("{error:#}")
    }

    const BUSY: &str = "the supplier answered 503 Service Unavailable";

    #[tokio::test]
    async fn failure_is_retried_if_that_makes_sense() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        assert_eq!(supplier.price("busy").await?, 12);
        assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        for (item, expected) in [
            ("milk", "the supplier answered 404 Not Found"),
            ("moved", "the supplier answered 302 Found"),
            ("free", "no price: expected ident at line 1 column 2"),
        ] {
            assert_eq!(error(&supplier, item).await, expected);
        }
        drop(server);
        let refused = error(&supplier, "tea").await;
        assert!(refused.contains("error sending request"), "{refused}");
        Ok(())
    }

    /// The last try is cut off, and the error is still the supplier's.
    #[tokio::test]
    async fn failure_is_the_last_real_one() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(SHORT)?;
        let start = Instant::now();
        assert_eq!(error(&supplier, "year").await, BUSY);
        assert_eq!(error(&supplier, "ever").await, BUSY);
        assert_eq!(error(&supplier, "date").await, BUSY);
        assert!(start.elapsed() < SHORT / 2, "it waits for nothing");
        assert_eq!(error(&supplier, "soon").await, BUSY);
        let cut_off = async {
            let places = supplier.places.clone();
            tokio::time::sleep(PAUSE / 2).await;
            let _all = places.acquire_many(PLACES as u32).await;
            tokio::time::sleep(SHORT).await;
        };
        let busy = error(&supplier, "soon");
        assert_eq!(tokio::join!(busy, cut_off).0, BUSY);
        Ok(())
    }

    #[tokio::test]
    async fn slow_supplier_gets_its_wish() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(Duration::from_millis(1500))?;
        let start = Instant::now();
        assert_eq!(error(&supplier, "second").await, BUSY);
        assert!(start.elapsed() >= Duration::from_secs(1));
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_limit() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(SHORT)?;
        let silent = error(&supplier, "silent").await;
        assert!(silent.contains("timed out"), "{silent}");
        let _all = supplier.places.acquire_many(PLACES as u32).await?;
        let full = error(&supplier, "tea").await;
        assert_eq!(full, "no place or answer in 600ms");
        Ok(())
    }

    /// More callers pause than there are places; another one is served.
    #[tokio::test]
    async fn overload_of_pauses_holds_no_place() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        let mut callers = JoinSet::new();
        for _ in 0..2 * PLACES + 1 {
            let supplier = supplier.clone();
            callers.spawn(async move {
                supplier.price("second").await.is_err()
            });
        }
        tokio::time::sleep(SHORT / 2).await;
        let start = Instant::now();
        assert_eq!(supplier.price("tea").await?, 12);
        assert!(start.elapsed() < SHORT);
        callers.shutdown().await;
        assert_eq!(supplier.places.available_permits(), PLACES);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_a_body_is_refused() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        let long = error(&supplier, "long").await;
        assert_eq!(long, "more than 65536 bytes");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_gives_the_place_back() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        for after in 0..2 * PLACES as u64 {
            let after = Duration::from_millis(after * 10);
            let silent = supplier.price("silent");
            let price = tokio::time::timeout(after, silent).await;
            assert!(price.is_err());
        }
        assert_eq!(supplier.places.available_permits(), PLACES);
        assert_eq!(supplier.price("tea").await?, 12);
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_a_name() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        assert_eq!(supplier.price("a/b").await?, 7);
        let outside = error(&supplier, "http://other.example").await;
        assert!(outside.contains("404"), "{outside}");
        // These would lead out of the folder, or to another item.
        for item in ["", ".", "..", ".\t.", "\n..", "t\nea"] {
            assert_eq!(error(&supplier, item).await, "not an item");
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_places() -> Outcome {
        let server = Server::start().await?;
        let supplier = server.client(LIMIT)?;
        let mut callers = JoinSet::new();
        for _ in 0..40 {
            let supplier = supplier.clone();
            callers.spawn(async move { supplier.price("tea").await });
        }
        while let Some(price) = callers.join_next().await {
            assert_eq!(price??, 12);
        }
        assert_eq!(supplier.places.available_permits(), PLACES);
        Ok(())
    }
}
