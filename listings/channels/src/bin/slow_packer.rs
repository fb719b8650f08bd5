//! While the queue is full, the server doesn't read: its client waits.

// ANCHOR: serve
use std::{io, time::Duration};

use tokio::{net::TcpStream, sync::mpsc, time::timeout};

/// How long a client may be silent, or wait for a slot in the queue.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a client's upload of `left` bytes in parts of up to 64 KiB. If
/// this fails, have the packer discard the parts of the upload.
///
/// While the queue is full, it reads nothing. A silent client takes up
/// no memory and no slot. Cancellation loses nothing that was read.
async fn serve(
    client: u32,
    mut left: u64,
    socket: TcpStream,
    queue: mpsc::Sender<Part>,
) -> io::Result<()> {
    while left > 0 {
        timeout(PATIENCE, socket.readable()).await??;
        let place = timeout(PATIENCE, queue.reserve()).await?;
        // The packer was dropped, with all unpacked parts.
        let place = place.map_err(|_| io::ErrorKind::BrokenPipe)?;
        let mut bytes = vec![0; left.min(65_536) as usize];
        match socket.try_read(&mut bytes) {
            // The client has closed its side too early, or crashed.
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes.truncate(read);
                bytes.shrink_to_fit(); // It may have been one byte.
                left -= read as u64;
                place.send(Part { client, bytes, is_last: left == 0 });
            }
            // `readable` is a hint, and may be wrong.
            Err(error) if error.kind() == WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
// ANCHOR_END: serve

use std::{io::ErrorKind::WouldBlock, pin::pin};

use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinSet};

/// Some bytes, and which client they are from.
struct Part {
    client: u32,
    bytes: Vec<u8>,
    is_last: bool,
}

/// Two ends of a connection: the client's, and the server's.
async fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

/// 64 MiB, which is more than the sockets' buffers can hold.
const LENGTH: usize = 64 * 1024 * 1024;

async fn upload(mut server: TcpStream) -> io::Result<()> {
    server.write_all(&vec![0; LENGTH]).await
}

/// Is the upload done while nobody packs? How much of it is packed
/// once somebody does?
async fn run() -> io::Result<(bool, usize)> {
    let (client, accepted) = connection().await?;
    let (queue, mut parts) = mpsc::channel(4);
    let mut server = JoinSet::new();
    server.spawn(serve(1, LENGTH as u64, accepted, queue));

    let mut upload = pin!(upload(client));
    let limit = Duration::from_millis(100);
    let is_done = timeout(limit, upload.as_mut()).await.is_ok();
    let pack = async {
        let mut packed = 0;
        while let Some(part) = parts.recv().await {
            packed += part.bytes.len();
            assert_eq!(
                (part.client, part.is_last),
                (1, packed == LENGTH)
            );
        }
        packed
    };
    let (uploaded, packed) = tokio::join!(upload, pack);
    uploaded?;
    // The end of the queue isn't yet the end of the upload.
    while let Some(served) = server.join_next().await {
        served??;
    }
    Ok((is_done, packed))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (is_done, packed) = run().await?;
    println!("nobody packs:  the upload is done: {is_done}");
    println!("somebody does: {} MiB are packed", packed / 1024 / 1024);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn slow_packing_loses_nothing() -> io::Result<()> {
        assert_eq!(run().await?, (false, LENGTH));
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_packer_is_an_error() -> io::Result<()> {
        let (mut client, accepted) = connection().await?;
        let (queue, parts) = mpsc::channel(4);
        drop(parts);
        client.write_all(b"tea").await?;
        let error = serve(1, 3, accepted, queue).await;
        let error = error.expect_err("gone");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_client_is_an_error() -> io::Result<()> {
        let (client, accepted) = connection().await?;
        let (queue, mut parts) = mpsc::channel(4);
        client.set_zero_linger()?;
        drop(client); // A reset.
        let error = serve(1, 3, accepted, queue).await;
        let error = error.expect_err("reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(parts.recv().await.is_none());
        Ok(())
    }

    /// When a process is killed, the system closes its connections.
    #[tokio::test]
    async fn failure_of_the_client_in_the_middle_is_no_end()
    -> io::Result<()> {
        let (mut client, accepted) = connection().await?;
        let (queue, mut parts) = mpsc::channel(4);
        client.write_all(b"tea").await?;
        drop(client);
        let error = serve(1, 10, accepted, queue).await;
        let error = error.expect_err("seven bytes are missing");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        while let Some(part) = parts.recv().await {
            assert!(!part.is_last);
        }
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_more_clients_than_places() -> io::Result<()> {
        let (queue, mut parts) = mpsc::channel(2);
        let mut servers = JoinSet::new();
        let mut silent = Vec::new();
        for number in 0..5 {
            let (client, accepted) = connection().await?;
            silent.push(client);
            servers.spawn(serve(number, 3, accepted, queue.clone()));
        }
        for _ in 0..20 {
            yield_now().await;
        }
        assert_eq!(queue.capacity(), 2); // They hold no place.
        let (mut client, accepted) = connection().await?;
        servers.spawn(serve(5, 3, accepted, queue));
        client.write_all(b"tea").await?;
        let part = parts.recv().await.expect("it's served");
        assert_eq!((part.client, &*part.bytes), (5, &b"tea"[..]));
        // And each of them ends after a minute.
        tokio::time::pause();
        let mut late = 0;
        while let Some(served) = within(HOUR, servers.join_next()).await
        {
            if let Err(error) = served? {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                late += 1;
            }
        }
        assert_eq!(late, 5);
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_the_packer_ends_after_a_minute()
    -> io::Result<()> {
        let (mut client, accepted) = connection().await?;
        client.write_all(b"tea").await?;
        accepted.readable().await?;
        let (queue, _parts) = mpsc::channel(1);
        let place = queue.clone().reserve_owned().await;
        tokio::time::pause();
        let served = within(HOUR, serve(1, 3, accepted, queue)).await;
        let error = served.expect_err("nobody packs");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(place);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_byte_and_single_bytes() -> io::Result<()> {
        let (mut client, accepted) = connection().await?;
        let (queue, mut parts) = mpsc::channel(1000);
        let serving = tokio::spawn(serve(1, 10, accepted, queue));
        for number in 1..=10 {
            client.write_all(b"x").await?;
            let part = parts.recv().await.expect("it's open");
            assert_eq!(part.bytes, b"x");
            assert!(part.bytes.capacity() < 100);
            assert_eq!(part.is_last, number == 10);
        }
        // It returns after the last byte, before the client closes.
        serving.await??;
        assert!(parts.recv().await.is_none());
        let (_client, accepted) = connection().await?;
        let (queue, mut parts) = mpsc::channel(1);
        serve(1, 0, accepted, queue).await?;
        assert!(parts.recv().await.is_none());
        Ok(())
    }

    #[tokio::test]
    async fn cancel_loses_nothing_that_was_read() -> io::Result<()> {
        let (mut client, accepted) = connection().await?;
        let accepted = accepted.into_std()?;
        client.write_all(b"tea, cocoa").await?;
        client.shutdown().await?;
        let (queue, mut parts) = mpsc::channel(1);
        let mut packed = Vec::new();
        at_every_poll(async |cancel| {
            let socket = accepted.try_clone().expect("a socket");
            let socket = TcpStream::from_std(socket).expect("a socket");
            let left = 10 - packed.len() as u64;
            cancel.run(serve(1, left, socket, queue.clone())).await;
            while let Ok(part) = parts.try_recv() {
                packed.extend(part.bytes);
            }
            assert_eq!(queue.capacity(), 1); // The place is back.
        })
        .await;
        assert_eq!(packed, b"tea, cocoa");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_clients_apart() -> io::Result<()> {
        let (queue, mut parts) = mpsc::channel(2);
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (mut client, accepted) = connection().await?;
            tasks.spawn(serve(
                number,
                300_000,
                accepted,
                queue.clone(),
            ));
            tasks.spawn(async move {
                client.write_all(&[number as u8; 300_000]).await
            });
        }
        drop(queue);
        let mut packed = [0; 8];
        while let Some(part) = parts.recv().await {
            let client = part.client as u8;
            assert!(part.bytes.iter().all(|byte| *byte == client));
            packed[usize::from(client)] += part.bytes.len();
        }
        assert_eq!(packed, [300_000; 8]);
        for ended in tasks.join_all().await {
            ended?;
        }
        Ok(())
    }
}
