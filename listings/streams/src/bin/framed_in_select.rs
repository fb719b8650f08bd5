//! A tick arrives while half a frame is in the buffer.

// ANCHOR: framed
use std::io;

use futures::StreamExt;
use tokio::{
    io::AsyncRead,
    time::{Duration, Instant, interval},
};
use tokio_util::codec::LengthDelimitedCodec;

const IDLE: Duration = Duration::from_secs(60);

/// The bytes stay in the buffer of `frames` when `select!` drops `next`.
/// Fails if a frame is too long or cut off, or the last is a minute old.
async fn read_all(
    socket: impl AsyncRead + Unpin,
    mut handle: impl FnMut(&[u8]),
) -> io::Result<u32> {
    let mut frames = LengthDelimitedCodec::builder()
        .max_frame_length(1024)
        .length_adjustment(4)
        .num_skip(0) // Even a cut right after the length is an error.
        .new_read(socket);
    let mut tick = interval(Duration::from_millis(25));
    let (mut ticks, mut last) = (0, Instant::now());
    loop {
        tokio::select! {
            frame = frames.next() => match frame.transpose()? {
                Some(frame) => {
                    last = Instant::now();
                    handle(&frame[4..]);
                }
                None => return Ok(ticks),
            },
            _ = tick.tick() => ticks += 1,
        }
        if last.elapsed() > IDLE {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
// ANCHOR_END: framed

use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    time::sleep,
};

/// A peer that writes three frames, in pieces, one every 16 ms.
async fn peer(mut socket: DuplexStream) {
    for piece in
        ["\0\0\0\x04paid", "\0\0\0\x04pa", "id", "\0\0\0\x04paid"]
    {
        if socket.write_all(piece.as_bytes()).await.is_err() {
            return; // The other side has disconnected.
        }
        sleep(Duration::from_millis(16)).await;
    }
}

fn print(frame: &[u8]) {
    println!("frame {:?}", String::from_utf8_lossy(frame));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = duplex(64);
    let reading = read_all(ours, print);
    let (outcome, ()) = tokio::join!(reading, peer(theirs));
    match outcome {
        Ok(ticks) => println!("the end, after {ticks} ticks"),
        Err(error) => println!("error: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_middle_of_a_frame() {
        let (ours, theirs) = duplex(64);
        let mut frames = 0;
        let reading = read_all(ours, |frame| {
            assert_eq!(frame, b"paid");
            frames += 1;
        });
        let (outcome, ()) = tokio::join!(reading, peer(theirs));
        assert!(outcome.expect("three whole frames") > 1);
        assert_eq!(frames, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_hands_over_whole_frames() {
        at_every_poll(async |cancel| {
            let (ours, theirs) = duplex(3);
            let mut frames = 0;
            let reading = read_all(ours, |frame| {
                assert_eq!(frame, b"paid");
                frames += 1;
            });
            let both = async { tokio::join!(reading, peer(theirs)).0 };
            let outcome = cancel.run(both).await;
            assert!(outcome.is_none() || frames == 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let reading = read_all(Silent, print);
        let error = within(HOUR, reading).await.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_below_a_minute_is_none() {
        let (ours, mut theirs) = duplex(64);
        let write = async {
            for _ in 0..10 {
                let frame = theirs.write_all(b"\0\0\0\x04paid");
                frame.await.expect("it is read");
                sleep(IDLE * 9 / 10).await;
            }
            drop(theirs);
        };
        let mut frames = 0;
        let reading = read_all(ours, |_| frames += 1);
        let (outcome, ()) = tokio::join!(reading, write);
        assert!(outcome.is_ok());
        assert_eq!(frames, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_ended_by_single_bytes() {
        let start = Instant::now();
        let (ours, mut theirs) = duplex(64);
        let write = async {
            for byte in b"\0\0\0\x04paid" {
                if theirs.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(IDLE / 2).await;
            }
        };
        let reading = read_all(ours, print);
        let (outcome, ()) = tokio::join!(reading, write);
        let error = outcome.expect_err("no frame in a minute");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < 2 * IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reads_lose_nothing() {
        let bytes = b"\0\0\0\x04paid\0\0\0\x04paid";
        let delay = Duration::from_millis(333);
        let mut frames = 0;
        let socket = Slow::new(&bytes[..], delay);
        let outcome = read_all(socket, |_| frames += 1).await;
        assert!(outcome.expect("whole frames") > 10);
        assert_eq!(frames, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_and_a_cut_frame_are_errors() {
        let bytes = b"\0\0\0\x04paid\0\0\0\x04pa";
        let mut frames = 0;
        let outcome = read_all(&bytes[..], |_| frames += 1).await;
        assert!(outcome.is_err());
        assert_eq!(frames, 1);
        for cut in 1..8 {
            let outcome = read_all(&bytes[..cut], |_| frames += 1);
            assert!(outcome.await.is_err(), "{cut}");
        }
        let socket = Failing::after(&bytes[..8], 1);
        let error = read_all(socket, |_| frames += 1).await;
        let error = error.expect_err("it has failed");
        assert_eq!(error.to_string(), "disk full");
        assert_eq!(frames, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_length() {
        let mut long = 1024_u32.to_be_bytes().to_vec();
        long.extend([b'x'; 1024]);
        let mut lengths = Vec::new();
        let keep = |frame: &[u8]| lengths.push(frame.len());
        assert!(read_all(&long[..], keep).await.is_ok());
        assert!(read_all(&b"\0\0\0\0"[..], print).await.is_ok());
        assert!(read_all(&b""[..], print).await.is_ok());
        assert!(read_all(&b"\0\0\x04\x01"[..], print).await.is_err());
        assert_eq!(lengths, [1024]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_read_ten_thousand_frames() {
        let (ours, mut theirs) = duplex(7);
        let write = tokio::spawn(async move {
            for _ in 0..10_000 {
                let frame = theirs.write_all(b"\0\0\0\x04paid");
                frame.await.expect("it is read");
            }
        });
        let mut frames = 0;
        let outcome = read_all(ours, |frame| {
            assert_eq!(frame, b"paid");
            frames += 1;
        });
        assert!(outcome.await.is_ok());
        assert_eq!(frames, 10_000);
        write.await.expect("no panic");
    }
}
