//! A full queue makes the server stop reading, and its client wait.

// ANCHOR: serve
use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

/// Reads from the client, and hands on. While the queue is full, it
/// reads nothing, and needs no memory for what it has not read.
async fn serve(
    mut client: TcpStream,
    queue: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let mut part = Vec::with_capacity(64 * 1024);
        let is_end = client.read_buf(&mut part).await? == 0;
        if is_end || queue.send(part).await.is_err() {
            return Ok(());
        }
    }
}

/// Sends 64 MiB, which is more than the sockets can hold.
async fn upload(mut server: TcpStream) -> io::Result<()> {
    server.write_all(&vec![0; 64 * 1024 * 1024]).await
}
// ANCHOR_END: serve

use std::pin::pin;

use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Duration, timeout},
};

/// Is the upload done while nobody packs? How much of it is packed
/// once somebody does?
async fn run() -> io::Result<(bool, usize)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    let (queue, mut parts) = mpsc::channel(4);
    let mut server = JoinSet::new();
    server.spawn(serve(accepted, queue));

    let mut upload = pin!(upload(client));
    let limit = Duration::from_millis(100);
    let is_done = timeout(limit, upload.as_mut()).await.is_ok();
    let pack = async {
        let mut bytes = 0;
        while let Some(part) = parts.recv().await {
            bytes += part.len();
        }
        bytes
    };
    let (uploaded, bytes) = tokio::join!(upload, pack);
    uploaded.map(|()| (is_done, bytes))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (is_done, bytes) = run().await?;
    println!("nobody packs:  the upload is done: {is_done}");
    println!("somebody does: {} MiB are packed", bytes / 1024 / 1024);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_client_waits_and_nothing_is_lost() -> io::Result<()> {
        assert_eq!(run().await?, (false, 64 * 1024 * 1024));
        Ok(())
    }
}
