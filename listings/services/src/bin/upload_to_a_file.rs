//! Save an upload to a file, with limits, and never leave half a file.

// ANCHOR: upload
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    extract::{Multipart, State, multipart::Field},
    http::StatusCode,
};
use tempfile::NamedTempFile;
use tokio::{fs::File, io::AsyncWriteExt, task::spawn_blocking};

/// Saves the form's `photo`. The name of the file is the server's choice:
/// the client's could be `../../etc/passwd`.
async fn upload(
    State(folder): State<Arc<PathBuf>>,
    mut form: Multipart,
) -> Result<StatusCode, UploadError> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("photo") {
            save(&folder, field).await?;
            return Ok(StatusCode::CREATED);
        }
    }
    Err(UploadError::NoPhoto)
}
// ANCHOR_END: upload

// ANCHOR: save
/// If this fails or is dropped, the temporary file is deleted, unless
/// it's already the new photo.
async fn save(
    folder: &Path,
    photo: Field<'_>,
) -> Result<(), UploadError> {
    let at = folder.to_owned();
    let file = spawn_blocking(move || NamedTempFile::new_in(at));
    let (file, path) =
        file.await.map_err(io::Error::other)??.into_parts();
    write(File::from_std(file), photo).await?;
    let at = folder.join("photo");
    let kept = spawn_blocking(move || path.persist(at)).await;
    kept.map_err(io::Error::other)?.map_err(|error| error.error)?;
    Ok(())
}

/// Writes each piece when it arrives.
async fn write(
    mut file: File,
    mut photo: Field<'_>,
) -> Result<(), UploadError> {
    while let Some(piece) = photo.chunk().await? {
        file.write_all(&piece).await?;
    }
    file.flush().await?; // The last write may have failed.
    Ok(file.sync_all().await?)
}
// ANCHOR_END: save

// ANCHOR: errors
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the form has no photo")]
    NoPhoto,
    #[error(transparent)]
    Form(#[from] MultipartError),
    #[error("the photo wasn't saved")]
    NotSaved(#[from] io::Error),
}

impl IntoResponse for UploadError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoPhoto => StatusCode::BAD_REQUEST,
            Self::Form(error) => error.status(),
            Self::NotSaved(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::warn!(error = &self as &dyn Error, "upload failed");
        (status, self.to_string()).into_response()
    }
}

/// The largest body, in bytes, and the longest upload.
const LARGEST: usize = 64 * 1024;
const LONGEST: Duration = Duration::from_secs(60);

fn routes(folder: PathBuf) -> Router {
    Router::new()
        .route("/photo", post(upload))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            LONGEST,
        ))
        .with_state(Arc::new(folder))
}
// ANCHOR_END: errors

use std::error::Error;

use axum::{
    Router,
    extract::{DefaultBodyLimit, multipart::MultipartError},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::{net::TcpListener, time::Duration};
use tokio_util::task::AbortOnDropHandle;
use tower_http::timeout::TimeoutLayer;

type Server = AbortOnDropHandle<io::Result<()>>;

async fn start(folder: PathBuf) -> io::Result<(String, Server)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/photo", listener.local_addr()?);
    let served = axum::serve(listener, routes(folder)).into_future();
    Ok((url, AbortOnDropHandle::new(tokio::spawn(served))))
}

/// Sends a form with one file, and returns the status of the answer and
/// its text.
async fn send(
    url: &str,
    name: &str,
    bytes: usize,
) -> anyhow::Result<String> {
    let photo = "x".repeat(bytes);
    let body = format!(
        "--line\r\ncontent-disposition: form-data; name=\"{name}\"; \
         filename=\"../tea.jpg\"\r\n\r\n{photo}\r\n--line--\r\n"
    );
    let client = reqwest::Client::builder().no_proxy().build()?;
    let form = "multipart/form-data; boundary=line";
    let request =
        client.post(url).header("content-type", form).body(body);
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok(format!("{status} {}", answer.text().await?))
}

/// Returns the names and sizes of the files in a folder.
fn files(folder: &tempfile::TempDir) -> io::Result<Vec<(String, u64)>> {
    let entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((name, entry.metadata()?.len()))
    };
    std::fs::read_dir(folder)?.map(entry).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .init();
    let folder = tempfile::tempdir()?;
    let (url, _server) = start(folder.path().to_owned()).await?;
    println!("{}", send(&url, "photo", 60_000).await?);
    println!("{:?}", files(&folder)?);
    println!("{}", send(&url, "photo", 70_000).await?);
    println!("{}", send(&url, "picture", 10).await?);
    println!("{:?}", files(&folder)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        extract::{FromRequest, Request},
    };
    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use tempfile::TempDir;
    use tower::ServiceExt;

    use super::*;

    const HEAD: &str = "--line\r\ncontent-disposition: form-data; \
                        name=\"photo\"; filename=\"a\"\r\n\r\n";

    /// Sends a body without a socket, and returns the answer's status.
    async fn post_to(folder: &TempDir, body: Body) -> StatusCode {
        let routes = routes(folder.path().to_owned());
        let answer = routes.oneshot(request(body)).await;
        answer.expect("infallible").status()
    }

    fn request(body: Body) -> Request {
        Request::post("/photo")
            .header(
                "content-type",
                "multipart/form-data; boundary=line",
            )
            .body(body)
            .expect("a request")
    }

    fn form(photo: &str) -> Body {
        Body::from(format!("{HEAD}{photo}\r\n--line--\r\n"))
    }

    /// A body that stops after some bytes of the photo.
    fn half() -> Body {
        let pieces =
            [HEAD, "xxx"].map(|it| Ok::<_, io::Error>(it.into()));
        let pieces: Vec<io::Result<Bytes>> = pieces.into();
        Body::from_stream(stream::iter(pieces).chain(stream::pending()))
    }

    /// Waits until no temporary file is left: a blocking thread may just
    /// be creating it.
    async fn clean(folder: &TempDir) -> Vec<(String, u64)> {
        let end = std::time::Instant::now() + Duration::from_secs(5);
        loop {
            let found = files(folder).unwrap_or_default();
            let clean = found.iter().all(|(name, _)| name == "photo");
            if clean || std::time::Instant::now() > end {
                assert!(clean, "{found:?}");
                return found;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn cancel_leaves_no_half_of_a_photo() {
        hazards::at_every_poll(async |cancel| {
            let folder = TempDir::new().expect("a folder");
            let sent = post_to(&folder, form(&"x".repeat(5000)));
            let status = cancel.run(sent).await;
            let found = clean(&folder).await;
            let whole = [("photo".to_owned(), 5000)];
            assert!(found.is_empty() || found == whole, "{found:?}");
            if status.is_some() {
                assert_eq!(found, whole);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn cancel_by_the_client_deletes_the_file() -> io::Result<()> {
        let folder = TempDir::new()?;
        let (url, _server) = start(folder.path().to_owned()).await?;
        let url = url.trim_start_matches("http://");
        let address = url.trim_end_matches("/photo");
        let mut client =
            tokio::net::TcpStream::connect(address).await?;
        let request = format!(
            "POST /photo HTTP/1.1\r\nhost: shop\r\ncontent-length: 999\r\n\
             content-type: multipart/form-data; boundary=line\r\n\r\n\
             {HEAD}half"
        );
        client.write_all(request.as_bytes()).await?;
        while files(&folder)?.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(client);
        assert!(clean(&folder).await.is_empty());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_time_limit() {
        let folder = TempDir::new().expect("a folder");
        let sent = post_to(&folder, half());
        let status = hazards::within(hazards::HOUR, sent).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(clean(&folder).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_upload_ends_with_the_time_limit() {
        let folder = TempDir::new().expect("a folder");
        let pieces = stream::once(async { Bytes::from(HEAD) });
        let slow =
            stream::repeat(Bytes::from("x")).then(async |piece| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                piece
            });
        let body = pieces.chain(slow).map(Ok::<_, io::Error>);
        let sent = post_to(&folder, Body::from_stream(body));
        let status = hazards::within(2 * LONGEST, sent).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(clean(&folder).await.is_empty());
    }

    #[tokio::test]
    async fn failure_of_the_form_or_the_disk() {
        let folder = TempDir::new().expect("a folder");
        let large = form(&"x".repeat(LARGEST));
        let status = post_to(&folder, large).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let cut = Body::from(format!("{HEAD}half"));
        assert_eq!(
            post_to(&folder, cut).await,
            StatusCode::BAD_REQUEST
        );
        assert!(clean(&folder).await.is_empty());
        std::fs::remove_dir(folder.path()).expect("an empty folder");
        let status = post_to(&folder, form("x")).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// `write_all` returns before it's written, and `sync_all` returns
    /// only its own errors.
    #[tokio::test]
    async fn failure_of_the_last_write_is_an_error() -> io::Result<()> {
        let file = NamedTempFile::new()?;
        let read_only = File::open(file.path()).await?;
        let form = Multipart::from_request(request(form("x")), &());
        let mut form = form.await.expect("a form");
        let photo = form.next_field().await.expect("a form");
        let written = write(read_only, photo.expect("a photo")).await;
        assert!(matches!(written, Err(UploadError::NotSaved(_))));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_overload_dont_mix_photos() -> anyhow::Result<()>
    {
        let folder = TempDir::new()?;
        let (url, _server) = start(folder.path().to_owned()).await?;
        let sent = (1..=40).map(|nth| send(&url, "photo", nth * 1000));
        for answer in futures::future::try_join_all(sent).await? {
            assert_eq!(answer, "201 ");
        }
        let found = files(&folder)?;
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|(_, bytes)| bytes % 1000 == 0));
        Ok(())
    }

    /// The limit of tower-http doesn't replace axum's own.
    #[tokio::test]
    async fn edges_two_limits() {
        use tower_http::limit::RequestBodyLimitLayer;

        for (raised, status) in [
            (false, StatusCode::PAYLOAD_TOO_LARGE),
            (true, StatusCode::CREATED),
        ] {
            let folder = TempDir::new().expect("a folder");
            let large = 5 * 1024 * 1024;
            let mut routes = Router::new()
                .route("/photo", post(upload))
                .layer(RequestBodyLimitLayer::new(2 * large));
            if raised {
                routes = routes.layer(DefaultBodyLimit::disable());
            }
            let state = Arc::new(folder.path().to_owned());
            let answer = routes
                .with_state(state)
                .oneshot(request(form(&"x".repeat(large))))
                .await;
            assert_eq!(answer.expect("infallible").status(), status);
        }
    }

    #[tokio::test]
    async fn again_replaces_the_photo() {
        let folder = TempDir::new().expect("a folder");
        for photo in ["x", "xx", "xx"] {
            let status = post_to(&folder, form(photo)).await;
            assert_eq!(status, StatusCode::CREATED);
            let bytes = photo.len() as u64;
            assert_eq!(clean(&folder).await, [("photo".into(), bytes)]);
        }
    }

    #[tokio::test]
    async fn edges_empty_and_largest() {
        let folder = TempDir::new().expect("a folder");
        let frame = HEAD.len() + "\r\n--line--\r\n".len();
        for bytes in [0, 1, LARGEST - frame] {
            let status =
                post_to(&folder, form(&"x".repeat(bytes))).await;
            assert_eq!(status, StatusCode::CREATED);
        }
        let status = post_to(&folder, Body::empty()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn overload_of_fields_is_skipped() {
        let folder = TempDir::new().expect("a folder");
        let other = HEAD.replace("photo", "other").repeat(100);
        let status =
            post_to(&folder, Body::from(format!("{other}--line--")))
                .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(clean(&folder).await.is_empty());
    }
}
