//! Fails: a_silent_direction_is_not_idle, a_slow_reader_is_not_idle
//! It limits the time of the whole relay.

use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::time::timeout;

pub async fn relay<A, B>(a: A, b: B, idle: Duration) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut a, mut b) = (pin!(a), pin!(b));
    timeout(idle, copy_bidirectional(&mut a, &mut b)).await?
}
