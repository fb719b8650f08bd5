//! Wrong: a response is read to its end, however long it is.

// ANCHOR: wrong
use std::time::Duration;

use reqwest::{Client, Response};

/// Wrong: the server decides how much memory this uses.
async fn read_all(answer: Response) -> anyhow::Result<Vec<u8>> {
    Ok(answer.bytes().await?.to_vec())
}
// ANCHOR_END: wrong

fn client() -> reqwest::Result<Client> {
    let limit = Duration::from_secs(8);
    Client::builder().no_proxy().timeout(limit).build()
}

async fn read(client: &Client, url: &str) -> anyhow::Result<Vec<u8>> {
    let answer = client.get(url).send().await?.error_for_status()?;
    read_all(answer).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = (client()?, supplier::start().await?);
    let url = format!("{}/zipped", supplier.base);
    let body = read(&client, &url).await?;
    let sent = supplier::zeros(4096).len();
    println!("sent: {sent} bytes, in memory: {} bytes", body.len());
    Ok(())
}

/// Serves a price list, a long one, and a small file that's long when
/// it's decompressed.
mod supplier {
    use std::io;

    use axum::{Router, body::Body, http::HeaderMap, routing::get};
    use tokio::{net::TcpListener, task::JoinSet};

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
        let routes = Router::new()
            .route("/prices", get(async || "tea 12, coffee 15"))
            .route("/long", get(async || "tea 12, ".repeat(20_000)))
            .route("/limit", get(async || "t".repeat(64 * 1024)))
            .route("/empty", get(async || ""))
            .route("/endless", get(endless))
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

    #[tokio::test]
    async fn overload_of_bytes_is_refused() -> anyhow::Result<()> {
        // It isn't.
        let (client, supplier) = (client()?, supplier::start().await?);
        for (path, length) in [("long", 160_000), ("zipped", 1_056_769)]
        {
            let url = format!("{}/{path}", supplier.base);
            assert_eq!(read(&client, &url).await?.len(), length);
        }
        Ok(())
    }
}
