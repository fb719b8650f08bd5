//! Fails: an_end_is_passed_on, a_silent_direction_is_not_idle, a_peer_that_does_not_read_is_idle, a_slow_reader_is_not_idle, buffered_streams_are_flushed
//! The program of the task.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::timeout;

pub async fn relay<A, B>(a: A, b: B, idle: Duration) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (from_a, to_a) = split(a);
    let (from_b, to_b) = split(b);
    tokio::try_join!(one_way(from_a, to_b, idle), one_way(from_b, to_a, idle))
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    idle: Duration,
) -> io::Result<u64> {
    let mut buffer = vec![0; 16 * 1024];
    let mut total = 0;
    loop {
        let length = timeout(idle, from.read(&mut buffer)).await??;
        if length == 0 {
            return Ok(total);
        }
        to.write_all(&buffer[..length]).await?;
        total += length as u64;
    }
}
