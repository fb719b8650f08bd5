//! Hold the permit until the response body has been sent, or the client
//! has disconnected.

// ANCHOR: body
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Error,
    body::{Body, Bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit for each export that is still being sent.
async fn limited(
    State(permits): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let permit = permits.try_acquire_owned();
    let permit = permit.or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    let answer = next.run(request).await;
    let permit = Arc::new(permit);
    Ok(answer.map(|inner| Body::new(WithPermit { inner, permit })))
}

struct WithPermit {
    inner: Body,
    permit: Arc<OwnedSemaphorePermit>,
}
// ANCHOR_END: body

// ANCHOR: poll
impl hyper::body::Body for WithPermit {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let _permit = Arc::clone(&self.permit);
        let piece = |bytes| Bytes::from_owner(Piece { bytes, _permit });
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        frame.map_ok(|frame| frame.map_data(piece))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// hyper drops the body as soon as it has taken the last piece, and the
/// piece when it's sent.
struct Piece {
    bytes: Bytes,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
// ANCHOR_END: poll

use std::{future::ready, io};

use axum::{Router, middleware::from_fn_with_state, routing::get};
use futures::{StreamExt, TryStreamExt, stream};
use tower::ServiceExt;

/// Endless exports, so many at a time.
fn shop(most: usize) -> (Router, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(most));
    let limit = from_fn_with_state(Arc::clone(&permits), limited);
    let export = async || {
        let lines =
            stream::repeat_with(|| Ok::<_, Error>("an order\n"));
        Body::from_stream(lines)
    };
    let routes = Router::new()
        .route("/export", get(export))
        .route("/count", get(async || "3 orders"));
    (routes.layer(limit), permits)
}

async fn ask(shop: &Router, path: &str) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    let Ok(answer) = shop.clone().oneshot(request).await;
    answer
}

/// Five clients ask for an export, two at a time are allowed. Returns
/// how many exports are being sent.
async fn exports() -> usize {
    let (shop, _) = shop(2);
    let mut sending = Vec::new();
    for _ in 0..5 {
        let answer = ask(&shop, "/export").await;
        if answer.status().is_success() {
            let mut body = answer.into_body().into_data_stream();
            if let Some(Ok(_line)) = body.next().await {
                sending.push(body);
            }
        }
    }
    sending.len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    println!("exports at a time: {}", exports().await);
    let (shop, permits) = shop(2);
    let answer = ask(&shop, "/export").await;
    println!("while one is sent: {}", permits.available_permits());
    drop(answer);
    println!("client left:       {}", permits.available_permits());
    let answer = ask(&shop, "/count").await;
    let body = answer.into_body().into_data_stream();
    let count = |sum, piece: Bytes| ready(Ok(sum + piece.len()));
    let bytes = body.try_fold(0, count).await;
    let bytes = bytes.map_err(io::Error::other)?;
    println!(
        "{bytes} bytes sent:      {}",
        permits.available_permits()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hazards::at_every_poll;
    use hyper::body::Body as _;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn overload_counts_exports_that_are_still_sent() {
        assert_eq!(exports().await, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_never_send_more() {
        let (shop, permits) = shop(2);
        let shop: Router = shop.with_state(());
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (shop, permits) = (shop.clone(), Arc::clone(&permits));
            asked.spawn(async move {
                let answer = ask(&shop, "/export").await;
                if answer.status().is_success() {
                    assert!(permits.available_permits() < 2);
                    let body = answer.into_body().into_data_stream();
                    assert_eq!(body.take(9).count().await, 9);
                }
            });
        }
        asked.join_all().await;
        assert_eq!(permits.available_permits(), 2);
    }

    #[tokio::test]
    async fn cancel_gives_the_permit_back() {
        let (shop, permits) = shop(1);
        at_every_poll(async |cancel| {
            cancel
                .run(async {
                    let answer = ask(&shop, "/export").await;
                    let body = answer.into_body().into_data_stream();
                    let mut body = body.take(3);
                    while body.next().await.is_some() {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            assert_eq!(permits.available_permits(), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn failure_of_the_body_gives_the_permit_back() {
        let permits = Arc::new(Semaphore::new(1));
        let limit = from_fn_with_state(Arc::clone(&permits), limited);
        let fails = async || {
            Body::from_stream(stream::iter([
                Ok("an order\n"),
                Err(io::Error::other("disk full")),
            ]))
        };
        let shop: Router =
            Router::new().route("/export", get(fails)).layer(limit);
        let body = ask(&shop, "/export").await.into_body();
        let mut body = body.into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        assert!(body.next().await.unwrap().is_err());
        drop(body);
        assert_eq!(permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn panic_of_the_handler_gives_the_permit_back() {
        let permits = Arc::new(Semaphore::new(1));
        let limit = from_fn_with_state(Arc::clone(&permits), limited);
        let broken = async || -> &'static str {
            std::panic::resume_unwind(Box::new("no orders"))
        };
        let shop: Router =
            Router::new().route("/export", get(broken)).layer(limit);
        let asked = tokio::spawn(async move {
            ask(&shop, "/export").await;
        });
        assert!(asked.await.unwrap_err().is_panic());
        assert_eq!(permits.available_permits(), 1);
    }

    /// hyper takes the whole body, long before it's sent.
    #[tokio::test]
    async fn slow_client_keeps_the_permit_of_one_large_piece() {
        let permits = Arc::new(Semaphore::new(1));
        let limit = from_fn_with_state(Arc::clone(&permits), limited);
        let export = async || vec![b'x'; 50_000_000];
        let shop: Router =
            Router::new().route("/export", get(export)).layer(limit);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = axum::serve(listener, shop).into_future();
        let server = tokio::spawn(served);
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET /export HTTP/1.1\r\nhost: shop\r\n\r\n";
        client.write_all(request).await.unwrap();
        // The answer has started, and the server has done what it can.
        client.read_u8().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(permits.available_permits(), 0);
        drop(client);
        let free = Arc::clone(&permits).acquire_owned();
        let _free = hazards::within(hazards::HOUR, free).await;
        server.abort();
    }

    #[tokio::test]
    async fn edges_an_empty_body_and_a_length() {
        let (shop, permits) = shop(1);
        let answer = ask(&shop, "/unknown").await;
        assert_eq!(answer.status(), 404);
        assert!(answer.body().is_end_stream());
        drop(answer);
        let answer = ask(&shop, "/count").await;
        assert_eq!(answer.body().size_hint().exact(), Some(8));
        drop(answer);
        assert_eq!(permits.available_permits(), 1);
    }
}
