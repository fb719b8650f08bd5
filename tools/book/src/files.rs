//! Serves the files of the built site, and nothing else.

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio::sync::RwLock;
use tower_http::services::ServeDir;

/// The site's folder, and a lock that keeps responses whole while a new site replaces the folder.
#[derive(Clone)]
pub struct Site {
    folder: PathBuf,
    swap: Arc<RwLock<()>>,
}

impl Site {
    /// The site in a folder, which doesn't have to exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            swap: Arc::default(),
        }
    }

    /// Does something to the folder while no response is being read from it.
    pub fn replace<T>(&self, put_in_place: impl FnOnce() -> T) -> T {
        let _alone = self.swap.blocking_write();
        put_in_place()
    }
}

/// A router that answers with the site's files.
pub fn router(site: Site) -> Router {
    let files = ServeDir::new(&site.folder);
    Router::new()
        .fallback_service(files)
        .layer(middleware::from_fn_with_state(site, only_the_site))
}

/// Lets a request through if the file is in the site's folder, even after following symbolic links. Any other
/// request gets the site's own page for a missing file.
async fn only_the_site(State(site): State<Site>, request: Request, next: Next) -> Response {
    let _in_place = site.swap.read().await;
    let answer = if lies_inside(&site.folder, request.uri().path()) {
        read_whole(next.run(request).await).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    };
    let mut answer = if answer.status() == StatusCode::NOT_FOUND {
        not_found(&site.folder)
    } else {
        answer
    };
    // The book changes while it's being read, and a stale page would be worse than a slow one.
    answer.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    answer
}

/// The response with its file read to the end and closed, because Windows can't move a folder with an open file.
async fn read_whole(answer: Response) -> Response {
    let (head, body) = answer.into_parts();
    match body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(head, Body::from(bytes)),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn not_found(folder: &Path) -> Response {
    let page =
        fs::read(folder.join("404.html")).unwrap_or_else(|_| b"There is no such page.".to_vec());
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::NOT_FOUND, html, Body::from(page)).into_response()
}

/// Whether a request's path, decoded, is in the folder.
fn lies_inside(folder: &Path, request: &str) -> bool {
    let Ok(decoded) = percent_encoding::percent_decode_str(request).decode_utf8() else {
        return false;
    };
    let below = Path::new(decoded.strip_prefix('/').unwrap_or(&decoded));
    let is_plain = below
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || decoded.contains(['\\', '\0', ':']) {
        return false;
    }
    let real = |path: &Path| fs::canonicalize(path).ok();
    match (real(folder), real(&folder.join(below))) {
        (Some(folder), Some(file)) => file.starts_with(folder),
        _ => false,
    }
}
