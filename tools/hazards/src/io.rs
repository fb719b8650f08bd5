//! Peers, files, and sockets that are silent, slow, or broken.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A peer that never says anything and never takes anything: reads and writes wait forever.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Silent {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// A reader or writer that takes its time: each read and each write begins after a delay.
#[derive(Debug)]
pub struct Slow<T> {
    inner: T,
    delay: Duration,
    /// The delays that are under way: a connection is read and written at the same time.
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<T> Slow<T> {
    /// Delays each read and each write of `inner`.
    pub fn new(inner: T, delay: Duration) -> Self {
        Self {
            inner,
            delay,
            reading: None,
            writing: None,
        }
    }
}

fn wait(
    under_way: &mut Option<Pin<Box<Sleep>>>,
    delay: Duration,
    context: &mut Context<'_>,
) -> Poll<()> {
    let timer = under_way.get_or_insert_with(|| Box::pin(sleep(delay)));
    timer.as_mut().poll(context)
}

impl<T: AsyncRead + Unpin> AsyncRead for Slow<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(wait(&mut this.reading, this.delay, context));
        let outcome = ready!(Pin::new(&mut this.inner).poll_read(context, buffer));
        this.reading = None;
        Poll::Ready(outcome)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Slow<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(wait(&mut this.writing, this.delay, context));
        let outcome = ready!(Pin::new(&mut this.inner).poll_write(context, bytes));
        this.writing = None;
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// A reader or writer that breaks for good: after so many writes, writing, flushing, and closing fail with "disk full", and
/// after so many reads, reading fails.
#[derive(Debug)]
pub struct Failing<T> {
    inner: T,
    reads_left: usize,
    writes_left: usize,
}

impl<T> Failing<T> {
    /// Lets `good` reads and `good` writes of `inner` work, and none after them.
    pub fn after(inner: T, good: usize) -> Self {
        Self {
            inner,
            reads_left: good,
            writes_left: good,
        }
    }
}

fn disk_full<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::other("disk full")))
}

impl<T: AsyncRead + Unpin> AsyncRead for Failing<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads_left == 0 {
            return disk_full();
        }
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        self.reads_left -= 1;
        Poll::Ready(outcome)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Failing<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.writes_left == 0 {
            return disk_full();
        }
        let outcome = ready!(Pin::new(&mut self.inner).poll_write(context, bytes));
        self.writes_left -= 1;
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writes_left == 0 {
            return disk_full();
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writes_left == 0 {
            return disk_full();
        }
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HOUR;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_silent_for_an_hour() {
        let mut byte = [0];
        assert!(timeout(HOUR, Silent.read(&mut byte)).await.is_err());
        assert!(timeout(HOUR, Silent.write(b"order")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn each_read_and_write_of_a_slow_peer_takes_its_time() {
        let start = Instant::now();
        let mut slow = Slow::new(Vec::new(), Duration::from_secs(1));
        slow.write_all(b"one").await.expect("memory takes it");
        slow.write_all(b"two").await.expect("memory takes it");
        assert_eq!(slow.inner, b"onetwo");
        let mut slow = Slow::new(&b"x"[..], Duration::from_secs(1));
        assert_eq!(slow.read_u8().await.expect("it has a byte"), b'x');
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_failing_writer_never_recovers() {
        let mut failing = Failing::after(Vec::new(), 1);
        failing.write_all(b"one").await.expect("the first works");
        for _ in 0..2 {
            let error = failing.write_all(b"two").await.expect_err("it has failed");
            assert_eq!(error.to_string(), "disk full");
        }
        assert!(failing.flush().await.is_err());
        assert_eq!(failing.inner, b"one");
    }
}
