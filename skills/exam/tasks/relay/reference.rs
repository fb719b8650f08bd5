//! One idle timer for both directions, renewed by each write that takes some bytes, not by whole buffers; `flush` before the next read.

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
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let written = to.write(rest).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
            moved.notify_one();
        }
        to.flush().await?;
        total += length as u64;
    }
}
