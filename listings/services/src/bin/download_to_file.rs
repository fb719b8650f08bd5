//! Download a file: it appears when it's complete, and not before.

// ANCHOR: download
use std::path::Path;

use anyhow::ensure;
use reqwest::Client;
use tempfile::NamedTempFile;
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
    task::spawn_blocking,
};

/// Downloads at most `limit` bytes, and replaces `target` when it has
/// all of them. If this fails or is dropped, `target` is the old file,
/// or the new one if the rename has started. No other file is left,
/// unless the process is killed.
async fn download(
    client: &Client,
    url: &str,
    target: &Path,
    limit: u64,
) -> anyhow::Result<u64> {
    let folder = folder(target).to_owned();
    let get = client.get(url).timeout(LONGEST);
    let mut answer = get.send().await?.error_for_status()?;
    ensure!(answer.status() == 200, "got {}", answer.status());
    let new = spawn_blocking(move || NamedTempFile::new_in(folder));
    let (file, part) = new.await??.into_parts();
    let mut file = BufWriter::new(File::from_std(file));
    let mut length = 0;
    while let Some(chunk) = answer.chunk().await? {
        length += chunk.len() as u64;
        ensure!(length <= limit, "more than {limit} bytes");
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    file.get_ref().sync_all().await?;
    rename(part, target.to_owned()).await?;
    Ok(length)
}
// ANCHOR_END: download

// ANCHOR: client
use std::{io, path::PathBuf, time::Duration};

use tempfile::TempPath;

/// The read timeout starts again with every chunk. There's no total
/// timeout here, because it would have to suit the largest file.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(2))
        .no_proxy() // This program's supplier is on loopback.
        .build()
}

/// Limits a download from a server that sends a byte now and then.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Gives the file its name. After `Ok`, both are on disk.
async fn rename(part: TempPath, target: PathBuf) -> io::Result<()> {
    let rename = move || {
        part.persist(&target)?;
        #[cfg(unix)] // Windows can't sync a folder this way.
        std::fs::File::open(folder(&target))?.sync_all()?;
        Ok(())
    };
    spawn_blocking(rename).await?
}

fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|it| *it != Path::new(""));
    folder.unwrap_or(Path::new("."))
}
// ANCHOR_END: client

const LIMIT: u64 = 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = (client()?, supplier::start().await?);
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("catalog");
    for path in ["catalog", "cut", "slow"] {
        tokio::fs::write(&target, "old").await?;
        let url = format!("{}/{path}", supplier.base);
        match download(&client, &url, &target, LIMIT).await {
            Ok(length) => println!("{path}: {length} bytes"),
            Err(error) => {
                let error = error.downcast::<reqwest::Error>()?;
                let error = anyhow::Error::from(error.without_url());
                println!("{path}: {error:#}");
            }
        }
        let text = tokio::fs::read_to_string(&target).await?;
        println!("  the file contains: {text}");
    }
    let files = std::fs::read_dir(folder.path())?.count();
    println!("files in the folder: {files}");
    Ok(())
}

/// Serves a catalog: its first half, and the rest as its path says.
mod supplier {
    use std::{io, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    pub struct Supplier {
        pub base: String,
        _running: JoinSet<()>,
    }

    pub async fn start() -> io::Result<Supplier> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client));
            }
        });
        Ok(Supplier { base, _running: running })
    }

    async fn serve(mut client: TcpStream) -> io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if client.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8_lossy(&request);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let status = match path {
            "/missing" => "404 Not Found",
            "/moved" => "303 See Other", // Without a location.
            _ => "200 OK",
        };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: 8\r\n\r\n");
        client.write_all(head.as_bytes()).await?;
        client.write_all(b"tea,").await?;
        match path {
            "/cut" => return Ok(()),
            "/stalls" => std::future::pending().await,
            "/slow" => tokio::time::sleep(PAUSE).await,
            _ => {}
        }
        client.write_all(b"milk").await
    }

    /// How long the slow server takes for the second half.
    const PAUSE: Duration = Duration::from_millis(700);
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// Downloads over an old file. Returns the outcome, and what the
    /// file contains afterwards.
    async fn over_old(
        path: &str,
        limit: u64,
        patience: Duration,
    ) -> anyhow::Result<(Option<anyhow::Result<u64>>, String)> {
        let (client, supplier) = (client()?, supplier::start().await?);
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("catalog");
        std::fs::write(&target, "old")?;
        let url = format!("{}/{path}", supplier.base);
        let downloading = download(&client, &url, &target, limit);
        let outcome = timeout(patience, downloading).await.ok();
        // A dropped `File` may still be closing.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok((outcome, std::fs::read_to_string(target)?))
    }

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn failure_leaves_the_old_file() -> anyhow::Result<()> {
        for path in ["cut", "missing", "moved"] {
            let (outcome, text) = over_old(path, LIMIT, LONG).await?;
            assert!(outcome.is_some_and(|it| it.is_err()));
            assert_eq!(text, "old");
        }
        Ok(())
    }

    #[tokio::test]
    async fn slow_server_is_waited_for() -> anyhow::Result<()> {
        let (outcome, text) = over_old("slow", LIMIT, LONG).await?;
        assert!(outcome.is_some_and(|it| it.is_ok()));
        assert_eq!(text, "tea,milk");
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_read_timeout() -> anyhow::Result<()> {
        let (outcome, text) = over_old("stalls", LIMIT, LONG).await?;
        assert!(outcome.is_some_and(|it| it.is_err()));
        assert_eq!(text, "old");
        Ok(())
    }

    #[tokio::test]
    async fn edges_limits() -> anyhow::Result<()> {
        let (outcome, text) = over_old("catalog", 7, LONG).await?;
        assert!(outcome.is_some_and(|it| it.is_err()));
        assert_eq!(text, "old");
        let (outcome, text) = over_old("catalog", 8, LONG).await?;
        assert!(outcome.is_some_and(|it| it.is_ok()));
        assert_eq!(text, "tea,milk");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_leaves_the_old_file() -> anyhow::Result<()> {
        for after in [0, 1, 5, 20, 100] {
            let after = Duration::from_millis(after);
            let (outcome, text) =
                over_old("stalls", LIMIT, after).await?;
            assert!(outcome.is_none());
            assert_eq!(text, "old");
        }
        Ok(())
    }

    #[tokio::test]
    async fn again_replaces_the_file() -> anyhow::Result<()> {
        let (client, supplier) = (client()?, supplier::start().await?);
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("catalog");
        let url = format!("{}/catalog", supplier.base);
        for _ in 0..2 {
            download(&client, &url, &target, LIMIT).await?;
            assert_eq!(std::fs::read_to_string(&target)?, "tea,milk");
        }
        Ok(())
    }

    /// The server is fast, and the reader isn't.
    #[tokio::test]
    async fn slow_reader_meets_the_read_timeout_as_documented()
    -> anyhow::Result<()> {
        let supplier = supplier::start().await?;
        let limit = Duration::from_millis(100);
        let client = Client::builder().no_proxy();
        let client = client.read_timeout(limit).build()?;
        let url = format!("{}/catalog", supplier.base);
        let mut answer = client.get(url).send().await?;
        assert!(answer.chunk().await?.is_some());
        tokio::time::sleep(limit * 2).await;
        let error = answer.chunk().await.expect_err("timed out");
        assert!(error.is_timeout());
        Ok(())
    }

    /// While nobody calls `chunk`, the server can't send much.
    #[tokio::test]
    async fn slow_disk_holds_up_the_server() -> anyhow::Result<()> {
        use std::sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        };
        use tokio::io::AsyncReadExt;

        const LENGTH: usize = 64 * 1024 * 1024;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.await?;
        let url = format!("http://{}", listener.local_addr()?);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move {
            let (mut client, _) = listener.accept().await?;
            client.read_buf(&mut Vec::new()).await?;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"
            );
            client.write_all(head.as_bytes()).await?;
            let piece = [0; 64 * 1024];
            while count.load(Ordering::Relaxed) < LENGTH {
                client.write_all(&piece).await?;
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
            io::Result::Ok(())
        });
        let mut answer = client()?.get(url).send().await?;
        assert!(answer.chunk().await?.is_some());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(sent.load(Ordering::Relaxed) < LENGTH / 2);
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_target_without_a_folder() -> anyhow::Result<()> {
        let (client, supplier) = (client()?, supplier::start().await?);
        let url = format!("{}/catalog", supplier.base);
        // In the folder in which the test runs.
        let name = format!(".catalog-{}", std::process::id());
        let target = Path::new(&name);
        let outcome = download(&client, &url, target, LIMIT).await;
        let text = std::fs::read_to_string(target);
        std::fs::remove_file(target)?;
        assert_eq!(outcome?, 8);
        assert_eq!(text?, "tea,milk");
        Ok(())
    }
}
