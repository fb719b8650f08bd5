//! hyper drops a body once it has its last piece, and a piece once it's written: each piece holds the permit.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub fn limited(routes: Router, most: usize) -> Router {
    let places = Arc::new(Semaphore::new(most));
    routes.layer(from_fn_with_state(places, in_place))
}

async fn in_place(
    State(places): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let permit = places
        .try_acquire_owned()
        .or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    let response = next.run(request).await;
    let permit = Arc::new(permit);
    Ok(response.map(|inner| Body::new(Held { inner, permit })))
}

struct Held {
    inner: Body,
    permit: Arc<OwnedSemaphorePermit>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let _permit = self.permit.clone();
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

struct Piece {
    bytes: Bytes,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
