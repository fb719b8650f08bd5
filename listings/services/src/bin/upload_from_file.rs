//! Upload a file as a stream, with its length and a size-based timeout.

// ANCHOR: upload
use std::time::Duration;

use reqwest::{Body, Client, header::CONTENT_LENGTH, redirect};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

const CHUNK: usize = 64 * 1024;
const LEAST: Duration = Duration::from_secs(2);
const SLOWEST: u64 = 1024 * 1024;

/// Uploads a whole file, one chunk in memory at a time. If this fails
/// or is dropped, the server may have stored the file or part of it.
async fn upload(
    client: &Client,
    url: &str,
    mut file: File,
) -> anyhow::Result<()> {
    // A pipe can't be rewound, and has no length.
    file.rewind().await?;
    let length = file.metadata().await?.len();
    // Bytes that are appended to the file later aren't sent.
    let bytes = ReaderStream::with_capacity(file.take(length), CHUNK);
    let request = client
        .put(url)
        .header(CONTENT_LENGTH, length)
        .body(Body::wrap_stream(bytes))
        // One second for every `SLOWEST` bytes.
        .timeout(LEAST + Duration::from_secs(length / SLOWEST));
    let status = request.send().await?.status();
    anyhow::ensure!(status.is_success(), "not stored: {status}");
    Ok(())
}
// ANCHOR_END: upload

// ANCHOR: client
/// No read timeout: it would limit the whole upload.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(Duration::from_secs(2))
        // After a 303, reqwest would GET another page, and succeed.
        .redirect(redirect::Policy::none())
        .no_proxy() // This program's server is on loopback.
        .build()
}
// ANCHOR_END: client

use std::io::Seek;

/// A file of zeros, which needs no room on the disk.
fn file(length: u64) -> std::io::Result<std::fs::File> {
    let file = tempfile::tempfile()?;
    file.set_len(length)?;
    Ok(file)
}

/// How much of a file of 64 MiB is read while the server reads nothing.
async fn read_ahead(storage: &storage::Storage) -> anyhow::Result<u64> {
    let file = file(64 * SLOWEST)?;
    // It shares the position with the file.
    let mut position = file.try_clone()?;
    let url = format!("{}/stalls", storage.base);
    let client = client()?;
    let uploading = upload(&client, &url, File::from_std(file));
    let short = Duration::from_millis(200);
    let stalled = tokio::time::timeout(short, uploading).await;
    anyhow::ensure!(stalled.is_err(), "the server has read it");
    Ok(position.stream_position()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, storage) = (client()?, storage::start().await?);
    let url = format!("{}/file", storage.base);
    upload(&client, &url, File::from_std(file(1_000_000)?)).await?;
    let stored = storage.stored.lock().expect("no panic").clone();
    println!("stored: {} bytes", stored.bytes);
    for name in ["content-length", "transfer-encoding"] {
        let sent = stored.head.lines().find(|it| it.starts_with(name));
        println!("{}", sent.unwrap_or("no transfer-encoding"));
    }
    let read = read_ahead(&storage).await?;
    let under_half = read < 32 * SLOWEST;
    println!("server stalls: under half of 64 MiB read: {under_half}");
    Ok(())
}

/// A server that stores what it gets. It reads as slowly as the path
/// says.
mod storage {
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    /// The head of the last request, and how many bytes followed.
    #[derive(Default, Clone)]
    pub struct Stored {
        pub head: String,
        pub bytes: usize,
    }

    pub struct Storage {
        pub base: String,
        pub stored: Arc<Mutex<Stored>>,
        _running: JoinSet<()>,
    }

    pub async fn start() -> io::Result<Storage> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let stored = Arc::new(Mutex::new(Stored::default()));
        let seen = stored.clone();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, seen.clone()));
            }
        });
        Ok(Storage { base, stored, _running: running })
    }

    async fn serve(
        client: TcpStream,
        stored: Arc<Mutex<Stored>>,
    ) -> io::Result<()> {
        let mut client = BufReader::new(client);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|it| it.parse().ok()).unwrap_or(0);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (pause, status) = match path {
            "/stalls" => (Duration::MAX, "200 OK"),
            "/slow" => (Duration::from_millis(60), "200 OK"),
            "/full" => (Duration::ZERO, "507 Insufficient Storage"),
            "/moved" => {
                let to = "307 Temporary Redirect\r\nLocation: /file";
                (Duration::ZERO, to)
            }
            "/login" => {
                let to = "303 See Other\r\nLocation: /file";
                (Duration::ZERO, to)
            }
            _ => (Duration::ZERO, "200 OK"),
        };
        let mut bytes = 0;
        let store = |bytes| {
            let head = head.clone();
            *stored.lock().expect("no panic") = Stored { head, bytes };
        };
        store(bytes);
        let mut piece = vec![0; 128 * 1024];
        while bytes < length {
            tokio::time::sleep(pause).await;
            match client.read(&mut piece).await? {
                0 => break,
                read => bytes += read,
            }
            store(bytes);
        }
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn upload_to(
        path: &str,
        length: u64,
    ) -> anyhow::Result<usize> {
        let (client, storage) = (client()?, storage::start().await?);
        let url = format!("{}/{path}", storage.base);
        let file = File::from_std(file(length)?);
        upload(&client, &url, file).await?;
        Ok(storage.stored.lock().expect("no panic").bytes)
    }

    #[tokio::test]
    async fn slow_server_gets_the_whole_file() -> anyhow::Result<()> {
        assert_eq!(upload_to("slow", 500_000).await?, 500_000);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_bytes_waits_in_the_file() -> anyhow::Result<()>
    {
        let storage = storage::start().await?;
        assert!(read_ahead(&storage).await? < 32 * SLOWEST);
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_server_ends_at_the_limit() {
        let error = upload_to("stalls", 10).await.expect_err("silent");
        let error: reqwest::Error =
            error.downcast().expect("its error");
        assert!(error.is_timeout());
    }

    #[tokio::test]
    async fn edges_an_empty_file_and_one_chunk() -> anyhow::Result<()> {
        for length in [0, 1, CHUNK, CHUNK + 1] {
            let stored = upload_to("file", length as u64).await?;
            assert_eq!(stored, length);
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_an_error() -> anyhow::Result<()> {
        let refusals =
            [("full", "507"), ("moved", "307"), ("login", "303")];
        for (path, status) in refusals {
            let error = upload_to(path, 10).await.expect_err("refused");
            assert!(error.to_string().contains(status), "{error:#}");
        }
        // A file that shrinks while it's sent.
        let storage = storage::start().await?;
        let url = format!("{}/slow", storage.base);
        let file = file(32 * SLOWEST)?;
        let shrinks = file.try_clone()?;
        let client = client()?;
        let uploading = upload(&client, &url, File::from_std(file));
        let shrink = async {
            begun(&storage).await;
            shrinks.set_len(0)
        };
        let (uploaded, shrunk) = tokio::join!(uploading, shrink);
        shrunk?;
        assert!(uploaded.is_err());
        Ok(())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn edges_a_pipe_is_refused() -> anyhow::Result<()> {
        let (from, _to) = std::io::pipe()?;
        let from =
            std::fs::File::from(std::os::fd::OwnedFd::from(from));
        let client = client()?;
        let uploaded = upload(&client, "http://[::1]:1", from.into());
        let error = uploaded.await.expect_err("it has no length");
        assert!(error.is::<std::io::Error>(), "{error:#}");
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_file_that_was_just_written() -> anyhow::Result<()>
    {
        let (client, storage) = (client()?, storage::start().await?);
        let url = format!("{}/file", storage.base);
        let mut file = tempfile::tempfile()?;
        std::io::Write::write_all(&mut file, b"order 7")?;
        upload(&client, &url, file.into()).await?;
        assert_eq!(storage.stored.lock().expect("no panic").bytes, 7);
        Ok(())
    }

    /// Waits until the server has read a part of the file.
    async fn begun(storage: &storage::Storage) {
        let wait = async {
            while storage.stored.lock().expect("no panic").bytes == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        hazards::within(Duration::from_secs(60), wait).await;
    }

    /// Waits until the server has no connections left.
    async fn closed(storage: &storage::Storage) {
        let wait = async {
            // The other reference belongs to the accept loop.
            while std::sync::Arc::strong_count(&storage.stored) > 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        hazards::within(Duration::from_secs(60), wait).await;
    }

    #[tokio::test]
    async fn cancel_leaves_the_server_with_a_part() -> anyhow::Result<()>
    {
        let (client, storage) = (client()?, storage::start().await?);
        let url = format!("{}/slow", storage.base);
        let file = File::from_std(file(64 * SLOWEST)?);
        tokio::select! {
            biased;
            uploaded = upload(&client, &url, file) => uploaded?,
            () = begun(&storage) => {}
        }
        closed(&storage).await;
        let bytes = storage.stored.lock().expect("no panic").bytes;
        assert!(bytes > 0 && bytes < 64 * SLOWEST as usize, "{bytes}");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_leaves_the_client_usable() -> anyhow::Result<()> {
        let (client, storage) = (client()?, storage::start().await?);
        let url = format!("{}/file", storage.base);
        let file = || file(300_000).map(File::from_std);
        hazards::at_every_poll(async |cancel| {
            let first = file().expect("a file");
            cancel.run(upload(&client, &url, first)).await;
            // Or else what it stored might hide the second one's bytes.
            closed(&storage).await;
            let second = file().expect("a file");
            upload(&client, &url, second).await.expect("it's stored");
            let bytes = storage.stored.lock().expect("no panic").bytes;
            assert_eq!(bytes, 300_000);
        })
        .await;
        Ok(())
    }
}
