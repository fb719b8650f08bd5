//! Wrong: a total timeout cuts off a download, and leaves half a file.

// ANCHOR: wrong
use std::{path::Path, time::Duration};

use reqwest::Client;
use tokio::{fs::File, io::AsyncWriteExt};

async fn download(
    client: &Client,
    url: &str,
    target: &Path,
) -> anyhow::Result<()> {
    let mut answer =
        client.get(url).send().await?.error_for_status()?;
    // Wrong: from here on, the old file is lost.
    let mut file = File::create(target).await?;
    while let Some(chunk) = answer.chunk().await? {
        file.write_all(&chunk).await?;
        file.flush().await?;
    }
    Ok(())
}

fn client() -> reqwest::Result<Client> {
    // Wrong: this limits the whole download, however large it is.
    let limit = Duration::from_millis(500);
    Client::builder().timeout(limit).no_proxy().build()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = (client()?, supplier::start().await?);
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("catalog");
    for path in ["cut", "slow"] {
        tokio::fs::write(&target, "old").await?;
        let url = format!("{}/{path}", supplier.base);
        if let Err(error) = download(&client, &url, &target).await {
            let error = error.downcast::<reqwest::Error>()?;
            let error = anyhow::Error::from(error.without_url());
            println!("{path}: {error:#}");
        }
        let text = tokio::fs::read_to_string(&target).await?;
        println!("  the file contains: {text}");
    }
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
    use super::*;

    #[tokio::test]
    async fn failure_leaves_the_old_file() -> anyhow::Result<()> {
        // Half of the new one.
        let (client, supplier) = (client()?, supplier::start().await?);
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("catalog");
        std::fs::write(&target, "old")?;
        let url = format!("{}/cut", supplier.base);
        assert!(download(&client, &url, &target).await.is_err());
        assert_eq!(std::fs::read_to_string(&target)?, "tea,");
        Ok(())
    }
}
