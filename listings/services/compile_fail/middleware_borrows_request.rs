//! Wrong: the middleware holds a `&Request` across an `.await`, but the
//! request's body can't be shared between threads.

use axum::{
    debug_middleware, extract::Request, http::StatusCode,
    middleware::Next, response::Response,
};

#[debug_middleware]
async fn authorize(
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    if !is_known(&request).await {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(next.run(request).await)
}

/// Looks the token up in the database.
async fn is_known(request: &Request) -> bool {
    tokio::task::yield_now().await;
    request.headers().contains_key("authorization")
}

fn main() {}
