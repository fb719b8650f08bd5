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

/// The site's folder, and a lock that keeps answers whole while a new site takes the folder's place.
#[derive(Clone)]
pub struct Site {
    folder: PathBuf,
    swap: Arc<RwLock<()>>,
}

impl Site {
    /// The site in a folder, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            swap: Arc::default(),
        }
    }

    /// Does something to the folder while no answer is being read from it.
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

/// Lets a request through where what it asks for lies in the site's folder, also after following
/// symbolic links; answers with the site's own page for everything that is not there.
async fn only_the_site(State(site): State<Site>, request: Request, next: Next) -> Response {
    let _while_it_stands = site.swap.read().await;
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
    // The book changes under the reader's hands; a stale page would be worse than a slow one.
    answer.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    answer
}

/// The answer with its file read to the end and closed: Windows moves no folder with an open file.
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

/// Whether a request's path, decoded, names something in the folder and nothing outside it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn what_lies_in_the_folder_is_served() {
        let book = Scratch::sound();
        let folder = book.path("src");
        assert!(lies_inside(&folder, "/page.md"));
        assert!(lies_inside(&folder, "/%70age.md"));
        assert!(lies_inside(&folder, "/"));
    }

    #[test]
    fn what_lies_outside_is_not() {
        let book = Scratch::sound();
        let folder = book.path("src");
        for path in [
            "/../book.toml",
            "/%2e%2e/book.toml",
            "/..%2fbook.toml",
            "/%2e%2e%2fbook.toml",
            "/..%5cbook.toml",
            "//etc/passwd",
            "//page.md",
            "/%2fetc/passwd",
            "/./../book.toml",
            "/page.md/../../book.toml",
            "/c:/windows/win.ini",
            "/page.md%00",
            "/%ff",
        ] {
            assert!(!lies_inside(&folder, path), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_out_of_the_folder_is_not_followed() {
        let book = Scratch::sound();
        std::os::unix::fs::symlink(book.path("book.toml"), book.path("src/link.md")).unwrap();
        std::os::unix::fs::symlink(book.root(), book.path("src/up")).unwrap();
        std::os::unix::fs::symlink(book.path("src/page.md"), book.path("src/inside.md")).unwrap();
        let folder = book.path("src");
        assert!(!lies_inside(&folder, "/link.md"));
        assert!(!lies_inside(&folder, "/up/book.toml"));
        assert!(lies_inside(&folder, "/inside.md"));
    }
}
