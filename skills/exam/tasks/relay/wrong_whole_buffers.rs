//! Fails: a_slow_reader_is_not_idle, buffered_streams_are_flushed
//! The timer is renewed only after a whole buffer, and what a stream buffers isn't flushed.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::Notify;
use tokio::time::timeout;

pub async fn relay<A, B>(a: A, b: B, idle: Duration) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (from_a, to_a) = split(a);
    let (from_b, to_b) = split(b);
    let moved = Notify::new();
    let both =
        async { tokio::try_join!(one_way(from_a, to_b, &moved), one_way(from_b, to_a, &moved)) };
    tokio::select! {
        ended = both => ended,
        () = idle_for(idle, &moved) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn idle_for(limit: Duration, moved: &Notify) {
    while timeout(limit, moved.notified()).await.is_ok() {}
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &Notify,
) -> io::Result<u64> {
    let mut buffer = vec![0; 16 * 1024];
    let mut total = 0;
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            to.shutdown().await?;
            return Ok(total);
        }
        to.write_all(&buffer[..length]).await?;
        moved.notify_one();
        total += length as u64;
    }
}
