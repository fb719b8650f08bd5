//! Wrong: a read timeout ends an upload, although bytes are flowing.

// ANCHOR: wrong
use std::time::Duration;

use reqwest::Client;
use tokio::fs::File;

/// Wrong: until the response arrives, nothing renews the read timeout.
fn client() -> reqwest::Result<Client> {
    let limit = Duration::from_millis(100);
    Client::builder().read_timeout(limit).no_proxy().build()
}

async fn upload(
    client: &Client,
    url: &str,
    file: File,
) -> reqwest::Result<()> {
    let answer = client.put(url).body(file).send().await?;
    answer.error_for_status()?;
    Ok(())
}
// ANCHOR_END: wrong

/// A file of zeros, which needs no room on the disk.
fn file(length: u64) -> std::io::Result<std::fs::File> {
    let file = tempfile::tempfile()?;
    file.set_len(length)?;
    Ok(file)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, storage) = (client()?, storage::start().await?);
    let url = format!("{}/file", storage.base);
    let file = File::from_std(file(500_000)?);
    match upload(&client, &url, file).await {
        Ok(()) => println!("stored"),
        Err(error) => {
            let error = anyhow::Error::from(error.without_url());
            println!("{error:#}");
        }
    }
    Ok(())
}

/// A server that reads slowly, and then answers.
mod storage {
    use std::{io, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    pub struct Storage {
        pub base: String,
        _running: JoinSet<()>,
    }

    pub async fn start() -> io::Result<Storage> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client));
            }
        });
        Ok(Storage { base, _running: running })
    }

    async fn serve(mut client: TcpStream) -> io::Result<()> {
        let mut piece = vec![0; 64 * 1024];
        let mut bytes = 0;
        while bytes < 500_000 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            match client.read(&mut piece).await? {
                0 => return Ok(()),
                read => bytes += read,
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        client.write_all(answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_server_gets_the_whole_file() -> anyhow::Result<()> {
        // It doesn't.
        let (client, storage) = (client()?, storage::start().await?);
        let url = format!("{}/file", storage.base);
        let file = File::from_std(file(500_000)?);
        let error =
            upload(&client, &url, file).await.expect_err("late");
        assert!(error.is_timeout());
        Ok(())
    }
}
