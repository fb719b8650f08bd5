//! Call a supplier over HTTP with limits, retries, and the supplier's own error.

// ANCHOR: client
use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow, ensure};
use reqwest::{Client, Response, Url, header, redirect};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

const PLACES: usize = 4;
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);
const MOST: usize = 64 * 1024; // Bytes in a body.

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
    /// If it fails, returns the error of the last try that has ended.
    async fn price(&self, item: &str) -> anyhow::Result<u32> {
        let url = self.url(item)?;
        let start = Instant::now();
        let left = || self.limit.saturating_sub(start.elapsed());
        let mut last =
            anyhow!("no place or answer in {:?}", self.limit);
        for tries in 1..=TRIES {
            let once = timeout(left(), self.once(url.clone()));
            let Again(error, wish) = match once.await {
                Ok(Ok(ended)) => return ended,
                Ok(Err(again)) => again,
                Err(_) => break,
            };
            last = error;
            let backoff = PAUSE * (1 << tries.min(10));
            let pause = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            let pause = wish.saturating_add(pause);
            if tries == TRIES || pause >= left() {
                break; // There won't be another try.
            }
            sleep(pause).await;
        }
        Err(last)
    }

    fn url(&self, item: &str) -> anyhow::Result<Url> {
        // `push` drops tabs and line breaks, and ignores "." and "..".
        let is_kept = !item.contains(char::is_control)
            && !["", ".", ".."].contains(&item);
        ensure!(is_kept, "a URL can't contain {item:?}");
        let mut url = self.prices.clone();
        let path = url.path_segments_mut().ok(); // Not `join`.
        path.context("not http")?.pop_if_empty().push(item);
        Ok(url)
    }
}
// ANCHOR_END: price

// ANCHOR: again
/// A failed try that's worth another one, and how long the supplier
/// wants us to wait before it.
struct Again(anyhow::Error, Duration);

/// No answer, or a partial one: reading a price twice is harmless.
impl From<reqwest::Error> for Again {
    fn from(error: reqwest::Error) -> Self {
        Self(error.into(), Duration::ZERO)
    }
}

fn retry_after(answer: &Response) -> Duration {
    let Some(wish) = answer.headers().get(header::RETRY_AFTER) else {
        return Duration::ZERO;
    };
    let seconds = wish.to_str().ok().and_then(|it| it.parse().ok());
    // A date isn't parsed: don't retry, rather than retry too early.
    seconds.map_or(Duration::MAX, Duration::from_secs)
}
// ANCHOR_END: again

// ANCHOR: once
impl Supplier {
    /// Holds a place, but not during the pause before the next try.
    async fn once(
        &self,
        url: Url,
    ) -> Result<anyhow::Result<u32>, Again> {
        let Ok(_place) = self.places.acquire().await else {
            return Ok(Err(anyhow!("the client is closed")));
        };
        let mut answer = self.http.get(url).send().await?;
        let status = answer.status();
        if !status.is_success() {
            let error = anyhow!("the supplier answered {status}");
            return match status.as_u16() {
                429 | 502..=504 => {
                    Err(Again(error, retry_after(&answer)))
                }
                _ => Ok(Err(error)),
            };
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            body.extend_from_slice(&piece);
            if body.len() > MOST {
                return Ok(Err(anyhow!("more than {MOST} bytes")));
            }
        }
        Ok(serde_json::from_slice(&body).context("no price"))
    }
}
// ANCHOR_END: once

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const LIMIT: Duration = Duration::from_secs(8);

/// Starts a supplier, which is stopped when the set is dropped.
async fn start(
    routes: Router,
    limit: Duration,
) -> anyhow::Result<(Supplier, JoinSet<std::io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let prices = format!("http://{}/", listener.local_addr()?);
    let mut running = JoinSet::new();
    running.spawn(async { axum::serve(listener, routes).await });
    Ok((Supplier::new(prices.parse()?, limit)?, running))
}

/// The supplier is busy the first time it's asked for tea.
fn routes(asked: Arc<AtomicUsize>) -> Router {
    let tea = async move || match asked.fetch_add(1, Ordering::Relaxed)
    {
        0 => Err(BUSY),
        _ => Ok("12"),
    };
    let silk = async || (BUSY, [("retry-after", "31536000")]);
    Router::new().route("/tea", get(tea)).route("/silk", get(silk))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let asked = Arc::default();
    let (supplier, _running) =
        start(routes(Arc::clone(&asked)), LIMIT).await?;
    for item in ["tea", "silk", "milk"] {
        match supplier.price(item).await {
            Ok(price) => println!("{item}: {price} euros"),
            Err(error) => println!("{item}: {error:#}"),
        }
    }
    println!("asked for tea: {}", asked.load(Ordering::Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = anyhow::Result<()>;

    const SHORT: Duration = Duration::from_millis(600);

    struct Server {
        supplier: Supplier,
        asked: Arc<AtomicUsize>,
        _running: JoinSet<std::io::Result<()>>,
    }

    /// The path determines what the supplier answers.
    async fn server(limit: Duration) -> anyhow::Result<Server> {
        let asked = Arc::new(AtomicUsize::new(0));
        let busy_at_first = asked.clone();
        let busy_at_first = async move || match busy_at_first
            .fetch_add(1, Ordering::Relaxed)
        {
            0 | 1 => Err(BUSY),
            _ => Ok("12"),
        };
        let wait = |wish: &'static str| {
            get(move || async move { (BUSY, [("retry-after", wish)]) })
        };
        let routes = Router::new()
            .route("/tea", get(async || "12"))
            .route("/busy", get(busy_at_first))
            .route("/always", get(async || BUSY))
            .route("/second", wait("1"))
            .route("/year", wait("31536000"))
            .route("/ever", wait("18446744073709551615"))
            .route("/date", wait("Fri, 31 Dec 1999 23:59:59 GMT"))
            .route("/silent", get(std::future::pending::<()>))
            .route("/moved", get(async || StatusCode::FOUND))
            .route("/long", get(async || "1".repeat(MOST + 1)))
            .route("/a%2Fb", get(async || "7"))
            .route("/free", get(async || "free"));
        let (supplier, _running) = start(routes, limit).await?;
        Ok(Server { supplier, asked, _running })
    }

    async fn error(supplier: &Supplier, item: &str) -> String {
        let start = Instant::now();
        let error = supplier.price(item).await.expect_err("no price");
        assert!(
            start.elapsed() < supplier.limit.saturating_mul(2),
            "{error}"
        );
        format!("{error:#}")
    }

    const BUSY_ERROR: &str =
        "the supplier answered 503 Service Unavailable";

    #[tokio::test]
    async fn failure_is_retried_if_that_makes_sense() -> Outcome {
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
        assert_eq!(supplier.price("busy").await?, 12);
        assert_eq!(server.asked.load(Ordering::Relaxed), 3);
        for (item, expected) in [
            ("milk", "the supplier answered 404 Not Found"),
            ("moved", "the supplier answered 302 Found"),
            ("free", "no price: expected ident at line 1 column 2"),
        ] {
            assert_eq!(error(supplier, item).await, expected);
        }
        let supplier = server.supplier.clone();
        drop(server);
        let supplier = &supplier;
        let refused = error(supplier, "tea").await;
        assert!(refused.contains("error sending request"), "{refused}");
        Ok(())
    }

    /// The last try times out, but the error is still the supplier's.
    #[tokio::test]
    async fn failure_is_the_last_real_one() -> Outcome {
        let server = server(SHORT).await?;
        let supplier = &server.supplier;
        let start = Instant::now();
        assert_eq!(error(supplier, "year").await, BUSY_ERROR);
        assert_eq!(error(supplier, "ever").await, BUSY_ERROR);
        assert_eq!(error(supplier, "date").await, BUSY_ERROR);
        assert!(start.elapsed() < SHORT / 4, "it waits for nothing");
        assert_eq!(error(supplier, "always").await, BUSY_ERROR);
        let cut_off = async {
            let places = supplier.places.clone();
            tokio::time::sleep(PAUSE / 2).await;
            let _all = places.acquire_many(PLACES as u32).await;
            tokio::time::sleep(SHORT).await;
        };
        let busy = error(supplier, "always");
        assert_eq!(tokio::join!(busy, cut_off).0, BUSY_ERROR);
        Ok(())
    }

    #[tokio::test]
    async fn slow_supplier_gets_its_wish() -> Outcome {
        let server = server(Duration::from_millis(1500)).await?;
        let supplier = &server.supplier;
        let start = Instant::now();
        assert_eq!(error(supplier, "second").await, BUSY_ERROR);
        assert!(start.elapsed() >= Duration::from_secs(1));
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_limit() -> Outcome {
        let server = server(SHORT).await?;
        let supplier = &server.supplier;
        let silent = error(supplier, "silent").await;
        assert!(silent.contains("timed out"), "{silent}");
        let _all = supplier.places.acquire_many(PLACES as u32).await?;
        let full = error(supplier, "tea").await;
        assert_eq!(full, "no place or answer in 600ms");
        Ok(())
    }

    /// More callers pause than there are places, and one more is served.
    #[tokio::test]
    async fn overload_of_pauses_holds_no_place() -> Outcome {
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
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
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
        let long = error(supplier, "long").await;
        assert_eq!(long, "more than 65536 bytes");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_gives_the_place_back() -> Outcome {
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
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
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
        assert_eq!(supplier.price("a/b").await?, 7);
        // A URL would drop these parts, and ask for something else.
        for item in ["te\na", "\ttea", "", ".", ".."] {
            let refused = error(supplier, item).await;
            assert!(refused.starts_with("a URL can't"), "{refused}");
        }
        let outside = error(supplier, "http://other.example").await;
        assert!(outside.contains("404"), "{outside}");
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_the_limit() -> Outcome {
        let most = server(Duration::MAX).await?;
        assert_eq!(most.supplier.price("tea").await?, 12);
        assert_eq!(error(&most.supplier, "date").await, BUSY_ERROR);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_places() -> Outcome {
        let server = server(LIMIT).await?;
        let supplier = &server.supplier;
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
