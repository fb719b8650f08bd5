//! Every request gets a response with an ID, even if it's shed, takes too
//! long, or panics.

// ANCHOR: layers
use std::time::Duration;

use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    http::{StatusCode, header::RETRY_AFTER},
    middleware::from_fn,
    response::{IntoResponse, Response},
};
use tower::{
    ServiceBuilder, limit::GlobalConcurrencyLimitLayer,
    load_shed::LoadShedLayer, load_shed::error::Overloaded,
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

/// Adds the layers to all routes and to the fallback. The first layer
/// is the outermost. The last four must be in the same `layer` call.
fn layered(routes: Router, most: usize, limit: Duration) -> Router {
    let late = StatusCode::GATEWAY_TIMEOUT;
    routes.layer(
        ServiceBuilder::new()
            .layer(from_fn(with_id))
            .layer(CatchPanicLayer::new())
            .layer(HandleErrorLayer::new(refused))
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(most))
            .layer(TimeoutLayer::with_status_code(late, limit)),
    )
}

/// Turns a layer's error into a response.
async fn refused(error: BoxError) -> Response {
    if !error.is::<Overloaded>() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let retry = [(RETRY_AFTER, "1")];
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, retry, error.to_string()).into_response()
}
// ANCHOR_END: layers

// ANCHOR: id
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::{extract::Request, http::HeaderValue, middleware::Next};

/// Numbers the requests. Because this is the outermost layer, the
/// responses of all the other layers have an ID as well.
async fn with_id(request: Request, next: Next) -> Response {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let id = HeaderValue::from(REQUESTS.fetch_add(1, Relaxed));
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-request-id", id);
    response
}
// ANCHOR_END: id

use std::{error::Error, sync::Arc};

use axum::routing::get;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::AbortOnDropHandle;

/// A shop in which a payment takes as long as its bank.
#[derive(Clone, Default)]
struct Shop {
    begun: Arc<Notify>,
    bank: Arc<Notify>,
}

impl Shop {
    fn routes(&self) -> Router {
        let shop = self.clone();
        let pay = async move || {
            shop.begun.notify_one();
            shop.bank.notified().await;
            "paid"
        };
        let broken = async || -> &'static str {
            std::panic::resume_unwind(Box::new("no price"))
        };
        Router::new()
            .route("/price", get(async || "12 euros"))
            .route("/pay", get(pay))
            .route("/broken", get(broken))
    }
}

/// Serves on a free port, until the handle is dropped.
async fn start(
    shop: Router,
) -> std::io::Result<(String, AbortOnDropHandle<std::io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let served = axum::serve(listener, shop).into_future();
    Ok((address, AbortOnDropHandle::new(tokio::spawn(served))))
}

async fn ask(client: &reqwest::Client, url: String) -> String {
    let answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => return error.to_string(),
    };
    let header = |name| {
        let value = answer.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let id = header("x-request-id").unwrap_or("none".to_owned());
    let retry =
        header("retry-after").map(|it| format!(" (Retry-After: {it})"));
    let (status, retry) = (answer.status(), retry.unwrap_or_default());
    let text = answer.text().await.unwrap_or_default();
    format!("ID {id}: {status}{retry} {text}").trim_end().to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()?;
    let shop = Shop::default();
    let short = Duration::from_millis(50);
    let (late, _server) =
        start(layered(shop.routes(), 8, short)).await?;
    for path in ["/price", "/pay", "/broken", "/unknown"] {
        let answer = ask(&client, format!("{late}{path}")).await;
        println!("{path:<8}  {answer}");
    }

    println!("One payment at a time:");
    let long = Duration::from_secs(10);
    let shop = Shop::default();
    let (full, _server) =
        start(layered(shop.routes(), 1, long)).await?;
    let first = ask(&client, format!("{full}/pay"));
    let second = async {
        shop.begun.notified().await;
        let answer = ask(&client, format!("{full}/price")).await;
        shop.bank.notify_one();
        answer
    };
    let (first, second) = tokio::join!(first, second);
    println!("/price    {second}\n/pay      {first}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    async fn status(shop: &Router, path: &str) -> StatusCode {
        let request =
            Request::builder().uri(path).body(Body::empty()).unwrap();
        let Ok(answer) = shop.clone().oneshot(request).await;
        assert!(answer.headers().contains_key("x-request-id"));
        answer.status()
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_until_a_permit_is_free() {
        let shop = Shop::default();
        let app: Router = layered(shop.routes(), 2, LIMIT);
        let app = app.with_state(());
        let mut paying = JoinSet::new();
        for _ in 0..2 {
            let app = app.clone();
            paying.spawn(async move { status(&app, "/pay").await });
            shop.begun.notified().await;
        }
        for _ in 0..3 {
            assert_eq!(status(&app, "/price").await, 503);
        }
        shop.bank.notify_waiters();
        assert_eq!(paying.join_all().await, [200, 200]);
        assert_eq!(status(&app, "/price").await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_handler_ends_at_the_limit() {
        let app = layered(Shop::default().routes(), 1, LIMIT);
        for _ in 0..3 {
            let answer = within(HOUR, status(&app, "/pay")).await;
            assert_eq!(answer, 504);
        }
        assert_eq!(status(&app, "/price").await, 200);
    }

    /// The wait for a permit is in `poll_ready`, before the timeout's
    /// `call`, but inside the future of the routes.
    #[tokio::test(start_paused = true)]
    async fn timeout_includes_permits_only_from_another_layer_call() {
        let late = StatusCode::GATEWAY_TIMEOUT;
        let timeout = TimeoutLayer::with_status_code(late, LIMIT);
        let permits = GlobalConcurrencyLimitLayer::new(1);
        for outer_call in [false, true] {
            let shop = Shop::default();
            let app: Router = match outer_call {
                true => {
                    shop.routes().layer(permits.clone()).layer(timeout)
                }
                false => shop.routes().layer(
                    ServiceBuilder::new()
                        .layer(timeout)
                        .layer(permits.clone()),
                ),
            };
            let app = app.layer(from_fn(with_id));
            let held = permits.clone().layer(service_fn(async |()| {
                std::future::pending::<Result<(), ()>>().await
            }));
            let held = tokio::spawn(held.oneshot(()));
            tokio::task::yield_now().await;
            let asked =
                tokio::time::timeout(HOUR, status(&app, "/price"));
            let answer = asked.await.ok().map(|it| it.as_u16());
            assert_eq!(answer, outer_call.then_some(504));
            held.abort();
            let _ = held.await;
        }
    }

    #[tokio::test]
    async fn panic_is_answered_and_gives_the_permit_back() {
        let app = layered(Shop::default().routes(), 1, LIMIT);
        for _ in 0..3 {
            assert_eq!(status(&app, "/broken").await, 500);
        }
        assert_eq!(status(&app, "/price").await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permit_back() {
        let shop = Shop::default();
        let app: Router = layered(shop.routes(), 1, LIMIT);
        let app = app.with_state(());
        at_every_poll(async |cancel| {
            shop.bank.notify_one();
            cancel.run(status(&app, "/pay")).await;
            assert_eq!(status(&app, "/price").await, 200);
            // Uses up what the canceled payment left.
            let _ = tokio::time::timeout(
                Duration::ZERO,
                shop.bank.notified(),
            )
            .await;
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_request_at_all_is_allowed() {
        let app = layered(Shop::default().routes(), 0, LIMIT);
        assert_eq!(status(&app, "/price").await, 503);
        assert_eq!(status(&app, "/unknown").await, 503);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_each_request() {
        let app: Router = layered(Shop::default().routes(), 4, LIMIT);
        let app = app.with_state(());
        let mut asked = JoinSet::new();
        for _ in 0..1000 {
            let app = app.clone();
            asked.spawn(async move { status(&app, "/price").await });
        }
        let answers = asked.join_all().await;
        assert!(
            answers.iter().all(|it| [200, 503].contains(&it.as_u16()))
        );
        assert_eq!(status(&app, "/price").await, 200);
    }

    /// A permit costs the task nothing of Tokio's budget. Otherwise, the
    /// end of the budget would look like an overload.
    #[tokio::test]
    async fn overload_is_only_reported_when_permits_are_used_up() {
        let app = layered(Shop::default().routes(), 1, LIMIT);
        for _ in 0..1000 {
            assert_eq!(status(&app, "/price").await, 200);
        }
    }

    #[tokio::test]
    async fn failure_of_a_layer_is_a_500() {
        let answer = refused("a layer failed".into()).await;
        assert_eq!(answer.status(), 500);
    }
}
