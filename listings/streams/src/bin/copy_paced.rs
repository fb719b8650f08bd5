//! Limit how many bytes per second a copy transfers.

// ANCHOR: copy
use std::{io, num::NonZeroU32};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Duration, Instant, sleep_until, timeout},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Copies until `from` ends, and returns the number of bytes. If this
/// is dropped, bytes that were read may not have been written.
///
/// # Errors
///
/// A read or a write fails or takes more than 30 seconds.
async fn copy_paced(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    bytes_per_second: NonZeroU32,
) -> io::Result<u64> {
    let rate = bytes_per_second.get();
    // A chunk lasts a tenth of a second, so the pauses are short.
    let mut chunk = vec![0; (rate as usize / 10).clamp(1, 64 * 1024)];
    let (mut copied, mut due) = (0, Instant::now());
    loop {
        let read = timeout(LIMIT, from.read(&mut chunk)).await??;
        if read == 0 {
            timeout(LIMIT, to.flush()).await??;
            return Ok(copied);
        }
        timeout(LIMIT, to.write_all(&chunk[..read])).await??;
        copied += read as u64;
        // Make up for late timers, but not for a slow peer: no burst.
        if due.elapsed() > Duration::from_millis(100) {
            due = Instant::now();
        }
        due += Duration::from_secs_f64(read as f64 / f64::from(rate));
        sleep_until(due).await;
    }
}
// ANCHOR_END: copy

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    let rate = NonZeroU32::new(1_000_000).expect("it isn't zero");
    let upload = vec![0; 5_000_000];
    let copied = copy_paced(&*upload, tokio::io::sink(), rate).await?;
    println!("{copied} bytes in {} ms", start.elapsed().as_millis());
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};

    use super::*;

    const RATE: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_start_of_the_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        at_every_poll(async |cancel| {
            let mut copy = Vec::new();
            _ = cancel.run(copy_paced(&*bytes, &mut copy, RATE)).await;
            assert!(bytes.starts_with(&copy));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writer_is_followed_by_no_burst() {
        let start = Instant::now();
        let slow = Slow::new(tokio::io::sink(), Duration::from_secs(5));
        let copied = copy_paced(&[0; 300][..], slow, RATE).await;
        assert_eq!(copied.ok(), Some(300));
        assert!(start.elapsed() >= Duration::from_millis(15_300));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_peer_is_an_error() {
        let copying = copy_paced(Silent, tokio::io::sink(), RATE);
        let error = within(HOUR, copying).await.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let copying = copy_paced(&[0; 9][..], Silent, RATE);
        let error = within(HOUR, copying).await.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_returned() {
        for good in 0..3 {
            let from = Failing::after(&[0; 1000][..], good);
            let copied =
                copy_paced(from, tokio::io::sink(), RATE).await;
            assert!(copied.is_err());
            let to = Failing::after(tokio::io::sink(), good);
            let copied = copy_paced(&[0; 1000][..], to, RATE).await;
            assert!(copied.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_rate_and_the_length() {
        for rate in [1, 9, 1_000, u32::MAX] {
            let rate = NonZeroU32::new(rate).expect("not zero");
            for length in [0, 1, 100] {
                let start = Instant::now();
                let mut copy = Vec::new();
                let bytes = vec![7; length];
                let copied = copy_paced(&*bytes, &mut copy, rate).await;
                assert_eq!(copied.ok(), Some(length as u64));
                assert_eq!(copy, bytes);
                let least = length as f64 / f64::from(rate.get());
                // Up to a nanosecond per byte is rounded away.
                assert!(start.elapsed().as_secs_f64() > least - 1e-6);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let rate = NonZeroU32::MAX;
        let copy = copy_paced(&[0; 9][..], tokio::io::sink(), rate);
        let copied = tokio::spawn(copy).await.expect("no panic");
        assert_eq!(copied.ok(), Some(9));
    }

    /// The pauses are shorter than the clock's millisecond.
    #[tokio::test(start_paused = true)]
    async fn clock_of_milliseconds_slows_no_fast_copy() {
        let rate = NonZeroU32::new(10_000_000).expect("not zero");
        let (mut peer, from) = tokio::io::duplex(1_000);
        let sends =
            async move { peer.write_all(&[0; 1_000_000]).await };
        let start = Instant::now();
        let copies = copy_paced(from, tokio::io::sink(), rate);
        let (sent, copied) = tokio::join!(sends, copies);
        assert!(sent.is_ok());
        assert_eq!(copied.ok(), Some(1_000_000));
        let took = start.elapsed().as_millis();
        assert!((99..=102).contains(&took), "{took} ms");
    }
}
