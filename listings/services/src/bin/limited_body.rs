//! Read an HTTP response with a limit, counted after decompression.

// ANCHOR: limited
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Response};

/// Gets a body of at most `limit` bytes within `total`.
async fn get_limited(
    client: &Client,
    url: &str,
    limit: usize,
    total: Duration,
) -> anyhow::Result<Vec<u8>> {
    let read = async {
        // This timeout includes the body.
        let answer = client.get(url).timeout(total).send().await?;
        read_limited(answer.error_for_status()?, limit).await
    };
    read.await.with_context(|| format!("can't read {url}"))
}

/// A response that's too long is refused before the body has more than
/// `limit` bytes.
async fn read_limited(
    mut answer: Response,
    limit: usize,
) -> anyhow::Result<Vec<u8>> {
    // A compressed response has no known length.
    let announced = answer.content_length().unwrap_or(0);
    if announced > limit as u64 {
        bail!("too long: {announced} bytes announced");
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if chunk.len() > limit - body.len() {
            bail!("too long: more than {limit} bytes");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
// ANCHOR_END: limited

const LIMIT: usize = 64 * 1024;
const TOTAL: Duration = Duration::from_secs(8);

fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().build()
}

async fn read(client: &Client, url: &str) -> anyhow::Result<Vec<u8>> {
    get_limited(client, url, LIMIT, TOTAL).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = (client()?, supplier::start().await?);
    for path in ["prices", "long", "zipped"] {
        let url = format!("{}/{path}", supplier.base);
        match read(&client, &url).await {
            Ok(body) => println!("{path}: {} bytes", body.len()),
            // The whole error also names the port, which is random.
            Err(error) => println!("{path}: {}", error.root_cause()),
        }
    }
    Ok(())
}

/// Serves a price list, a long one, and a small file that's long when
/// it's decompressed.
mod supplier {
    use std::io;

    use axum::{Router, body::Body, http::HeaderMap, routing::get};
    use tokio::{
        net::TcpListener,
        task::JoinSet,
        time::{Duration, sleep},
    };

    const SECOND: Duration = Duration::from_secs(1);

    pub struct Supplier {
        pub base: String,
        _running: JoinSet<()>,
    }

    pub async fn start() -> io::Result<Supplier> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let zipped = async || {
            let mut headers = HeaderMap::new();
            let gzip = "gzip".parse().expect("it's a valid value");
            headers.insert("content-encoding", gzip);
            (headers, zeros(4096))
        };
        let endless = async || {
            let piece =
                || Some((Ok::<_, io::Error>(vec![0; 4096]), ()));
            let pieces =
                futures::stream::unfold((), move |()| async move {
                    piece()
                });
            Body::from_stream(pieces)
        };
        // A byte every second, or none for an hour.
        let pieces = |every| async move {
            let pieces = futures::stream::unfold((), move |()| {
                let piece = (Ok::<_, io::Error>(vec![b't']), ());
                async move {
                    sleep(every).await;
                    Some(piece)
                }
            });
            Body::from_stream(pieces)
        };
        let routes = Router::new()
            .route("/prices", get(async || "tea 12, coffee 15"))
            .route("/long", get(async || "tea 12, ".repeat(20_000)))
            .route("/limit", get(async || "t".repeat(64 * 1024)))
            .route("/empty", get(async || ""))
            .route("/endless", get(endless))
            .route("/slow", get(move || pieces(SECOND)))
            .route("/silent", get(move || pieces(3600 * SECOND)))
            .route("/zipped", get(zipped));
        let mut running = JoinSet::new();
        running.spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                eprintln!("the supplier has stopped: {error}");
            }
        });
        Ok(Supplier { base, _running: running })
    }

    /// Zeros in gzip: a zero, and how often the last 258 are repeated.
    pub fn zeros(repeats: usize) -> Vec<u8> {
        let length = 1 + 258 * repeats;
        let mut bits = vec![1, 1, 0];
        let mut code = |code: u32, length: u32| {
            bits.extend((0..length).rev().map(|at| code >> at & 1));
        };
        code(0x30, 8);
        for _ in 0..repeats {
            code(0xc5, 8);
            code(0, 5);
        }
        code(0, 7);
        let mut zipped = vec![31, 139, 8, 0, 0, 0, 0, 0, 0, 255];
        zipped.extend(bits.chunks(8).map(|byte| {
            let bits = byte.iter().enumerate();
            bits.fold(0, |sum, (at, bit)| sum | (*bit as u8) << at)
        }));
        let mut check = u32::MAX;
        for _ in 0..length * 8 {
            let lowest = check & 1;
            check = (check >> 1) ^ (lowest * 0xedb8_8320);
        }
        zipped.extend((!check).to_le_bytes());
        zipped.extend((length as u32).to_le_bytes());
        zipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_path(path: &str) -> anyhow::Result<Vec<u8>> {
        let (client, supplier) = (client()?, supplier::start().await?);
        read(&client, &format!("{}/{path}", supplier.base)).await
    }

    #[tokio::test]
    async fn overload_of_bytes_is_refused() {
        for path in ["long", "zipped", "endless"] {
            let error = read_path(path).await.expect_err("too long");
            let error = format!("{error:#}");
            assert!(error.contains("too long"), "{error}");
            assert!(error.contains(path), "{error}");
        }
    }

    #[tokio::test]
    async fn edges_empty_and_as_long_as_the_limit() -> anyhow::Result<()>
    {
        assert_eq!(read_path("empty").await?.len(), 0);
        assert_eq!(read_path("limit").await?.len(), LIMIT);
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_an_error() {
        let error = read_path("nothing").await.expect_err("not found");
        assert!(format!("{error:#}").contains("404"), "{error:#}");
    }

    /// A client without a timeout of its own.
    async fn is_late(path: &str) -> anyhow::Result<()> {
        let (client, supplier) = (client()?, supplier::start().await?);
        let url = format!("{}/{path}", supplier.base);
        tokio::time::pause();
        let read = hazards::within(hazards::HOUR, read(&client, &url));
        let error = read.await.expect_err("too slow");
        let cause = error.downcast_ref::<reqwest::Error>();
        assert!(cause.is_some_and(|it| it.is_timeout()), "{error:#}");
        assert!(format!("{error:#}").contains(path), "{error:#}");
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_the_body_is_limited() -> anyhow::Result<()> {
        is_late("silent").await
    }

    #[tokio::test]
    async fn slow_body_is_limited() -> anyhow::Result<()> {
        is_late("slow").await
    }

    /// What the server compresses is decompressed, if it's short.
    #[test]
    fn edges_the_zipped_body_is_valid() {
        assert!(supplier::zeros(4096).len() < 10_000);
    }
}
