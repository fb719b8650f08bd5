//! A middleware that reads the body, checks it, and puts it back for
//! the handler.

// ANCHOR: check
use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

/// How long a client may take to send the body.
const PATIENCE: Duration = Duration::from_secs(5);

/// Compares the body with its checksum. Holds the whole body in memory,
/// up to the limit of `DefaultBodyLimit`: 2 MB, unless you change it.
/// Trailers, the headers after a body, are dropped.
async fn checked(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    // Like any extractor, this rejects a body above the limit with 413.
    let read = Bytes::from_request(request, &());
    let bytes = match timeout(PATIENCE, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(rejected)) => return rejected.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let sum = parts.headers.get("x-checksum");
    if sum.is_none_or(|sum| sum != checksum(&bytes).as_str()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    // The same head, with a body that can be read again.
    let request = Request::from_parts(parts, Body::from(bytes));
    next.run(request).await
}
// ANCHOR_END: check

/// A stand-in for a signature.
fn checksum(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>().to_string()
}

// ANCHOR: routes
use axum::{
    Router, extract::DefaultBodyLimit, middleware::from_fn,
    routing::post,
};
use tower::ServiceBuilder;

/// The limit is outside the middleware that reads the body.
fn shop() -> Router {
    Router::new().route("/orders", post(placed)).layer(
        ServiceBuilder::new()
            .layer(DefaultBodyLimit::max(1024))
            .layer(from_fn(checked)),
    )
}

async fn placed(order: String) -> String {
    format!("placed: {order}")
}
// ANCHOR_END: routes

use axum::body::to_bytes;
use futures::{Stream, StreamExt, stream};
use tower::ServiceExt;

async fn send(
    shop: &Router,
    sum: &str,
    body: Body,
) -> (StatusCode, String) {
    let request = Request::post("/orders")
        .header("x-checksum", sum)
        .body(body)
        .expect("it is valid");
    let Ok(answer) = shop.clone().oneshot(request).await;
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 4096).await;
    let body = body.expect("the answer is short");
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// A client that sends the start of an order, and no more.
fn half() -> impl Stream<Item = Result<&'static str, axum::Error>> {
    stream::iter([Ok("two bo")]).chain(stream::pending())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shop = shop();
    let sum = checksum(b"two books");
    let large = "x".repeat(1025);
    for (what, body) in [
        ("intact", Body::from("two books")),
        ("changed", Body::from("ten books")),
        ("too large", Body::from(large)),
        ("half", Body::from_stream(half())),
    ] {
        let (status, text) = send(&shop, &sum, body).await;
        println!("{what:<10} {} {text}", status.as_u16());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::{Pin, pin},
        task::{Context, Poll},
    };

    use axum::http::HeaderMap;
    use hazards::{HOUR, at_every_poll, within};
    use hyper::body::Frame;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn edges_of_the_limit() {
        let shop = shop();
        for size in [0, 1, 1024] {
            let body = "é".repeat(size / 2) + &"x".repeat(size % 2);
            let sum = checksum(body.as_bytes());
            let answer = send(&shop, &sum, Body::from(body.clone()));
            let expected = format!("placed: {body}");
            assert_eq!(answer.await, (StatusCode::OK, expected));
        }
        let body = "x".repeat(1025);
        let sum = checksum(body.as_bytes());
        assert_eq!(send(&shop, &sum, Body::from(body)).await.0, 413);
    }

    /// The frames of a body that ends with trailers.
    struct WithTrailers(Vec<Frame<Bytes>>);

    impl hyper::body::Body for WithTrailers {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Ready(self.0.pop().map(Ok))
        }
    }

    async fn has_trailers(request: Request) -> String {
        let mut body = pin!(request.into_body());
        let mut has_trailers = false;
        let next = |body: &mut Pin<&mut Body>, cx: &mut Context<'_>| {
            hyper::body::Body::poll_frame(body.as_mut(), cx)
        };
        while let Some(Ok(frame)) =
            poll_fn(|cx| next(&mut body, cx)).await
        {
            has_trailers |= frame.is_trailers();
        }
        has_trailers.to_string()
    }

    #[tokio::test]
    async fn edges_trailers_are_dropped() {
        let sum = checksum(b"two books");
        let shop = Router::new().route("/orders", post(has_trailers));
        let with_check = shop.clone().layer(from_fn(checked));
        for (shop, expected) in [(shop, "true"), (with_check, "false")]
        {
            let frames = vec![
                Frame::trailers(HeaderMap::new()),
                Frame::data(Bytes::from("two books")),
            ];
            let body = Body::new(WithTrailers(frames));
            let answer = send(&shop, &sum, body).await;
            assert_eq!(answer, (StatusCode::OK, expected.to_owned()));
        }
    }

    #[tokio::test]
    async fn overload_of_a_body_without_length_stops_at_the_limit() {
        let endless = stream::repeat_with(|| {
            Ok::<_, axum::Error>("x".repeat(100))
        });
        let body = Body::from_stream(endless);
        assert_eq!(send(&shop(), "0", body).await.0, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_client_ends_with_its_patience() {
        let (shop, body) = (shop(), Body::from_stream(half()));
        let answer = within(HOUR, send(&shop, "0", body)).await;
        assert_eq!(answer.0, 408);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_have_one_time_limit_for_the_whole_body() {
        let drip = stream::iter(0..100).then(async |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, axum::Error>("x")
        });
        let (shop, body) = (shop(), Body::from_stream(drip));
        assert_eq!(send(&shop, "0", body).await.0, 408);
    }

    #[tokio::test]
    async fn failure_of_the_connection_or_the_sum_is_a_400() {
        let broken = stream::iter([
            Ok("two"),
            Err(std::io::Error::other("connection reset")),
        ]);
        let body = Body::from_stream(broken);
        assert_eq!(send(&shop(), "0", body).await.0, 400);
        let body = Body::from("ten books");
        assert_eq!(send(&shop(), "0", body).await.0, 400);
        let request = Request::post("/orders").body(Body::empty());
        let Ok(answer) = shop().oneshot(request.unwrap()).await;
        assert_eq!(answer.status(), 400);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_and_again() {
        let (shop, sum) = (shop(), checksum(b"two books"));
        at_every_poll(async |cancel| {
            let parts =
                stream::iter(["two ", "books"]).then(async |it| {
                    tokio::task::yield_now().await;
                    Ok::<_, axum::Error>(it)
                });
            let body = Body::from_stream(parts);
            cancel.run(send(&shop, &sum, body)).await;
            let body = Body::from("two books");
            assert_eq!(send(&shop, &sum, body).await.0, 200);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_bodies_apart() {
        let mut sent = JoinSet::new();
        let shop = shop();
        for it in 0..100 {
            let (shop, order) = (shop.clone(), format!("order {it}"));
            sent.spawn(async move {
                let sum = checksum(order.as_bytes());
                let body = Body::from(order.clone());
                let (_, text) = send(&shop, &sum, body).await;
                assert_eq!(text, format!("placed: {order}"));
            });
        }
        assert_eq!(sent.join_all().await.len(), 100);
    }
}
