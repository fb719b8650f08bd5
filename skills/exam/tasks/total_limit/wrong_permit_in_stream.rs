//! Fails: trailers_and_sizes_are_kept
//! A stream of data has no trailers, and no known length.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures::StreamExt;
use std::sync::Arc;
use tokio::sync::Semaphore;

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
    Ok(response.map(|body| {
        let mut pieces = body.into_data_stream();
        Body::from_stream(async_stream::stream! {
            let _permit = permit;
            while let Some(piece) = pieces.next().await {
                yield piece;
            }
        })
    }))
}
