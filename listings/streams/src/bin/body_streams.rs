//! Store a body that arrives as a stream, and stream a file.

// ANCHOR: store
use std::{error::Error, io, pin::pin};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::task::coop::cooperative;
use tokio::time::{Duration, timeout};
use tokio_util::io::ReaderStream;

const LARGEST: usize = 100;
const SILENCE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// Stores a body chunk by chunk. Asks for the next chunk only after it
/// has written the previous one.
///
/// # Errors
///
/// The body is too large, breaks off, or is silent for half a minute,
/// `file` can't be written, or the transfer takes ten minutes. After an
/// error or a cancellation, `file` contains a part of the body: delete it.
async fn store<E: Error + Send + Sync + 'static>(
    body: impl Stream<Item = Result<Bytes, E>>,
    mut file: impl AsyncWrite + Unpin,
) -> io::Result<usize> {
    let storing = async {
        let (mut body, mut length) = (pin!(body), 0);
        while let Some(chunk) = timeout(SILENCE, body.next()).await? {
            let chunk = chunk.map_err(io::Error::other)?;
            length += chunk.len();
            if length > LARGEST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            cooperative(file.write_all(&chunk)).await?;
        }
        file.flush().await?;
        Ok(length)
    };
    timeout(LONGEST, storing).await?
}
// ANCHOR_END: store

// ANCHOR: chunks
/// The other direction: a reader as a stream of chunks.
fn chunks(
    file: impl AsyncRead,
) -> impl Stream<Item = io::Result<Bytes>> {
    ReaderStream::with_capacity(file, 16 * 1024)
}
// ANCHOR_END: chunks

use futures::stream;

/// A body that breaks off after two chunks.
fn broken() -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::iter([
        Ok(Bytes::from("order 1\n")),
        Ok(Bytes::from("ord")),
        Err(io::ErrorKind::ConnectionReset.into()),
    ])
}

async fn print(
    name: &str,
    body: impl Stream<Item = io::Result<Bytes>>,
) {
    let mut file = Vec::new();
    match store(body, &mut file).await {
        Ok(length) => println!("{name}: {length} bytes stored"),
        Err(error) => {
            println!("{name}: {error}, {} bytes stored", file.len());
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print("whole", chunks(&b"order 1\norder 2\n"[..])).await;
    print("broken off", broken()).await;
    print("silent", stream::pending()).await;
    print("endless", chunks(tokio::io::repeat(b'x'))).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_body_is_an_error() {
        let never = stream::pending::<io::Result<Bytes>>();
        let start = stream::iter([Ok(Bytes::from("order 1"))]);
        let mut file = Vec::new();
        let storing = store(start.chain(never), &mut file);
        let begun = Instant::now();
        let error = within(HOUR, storing).await.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(file, b"order 1");
        assert_eq!(begun.elapsed(), SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_peer_is_an_error() {
        let begun = Instant::now();
        let storing = store(chunks(Silent), Vec::new());
        assert!(within(HOUR, storing).await.is_err());
        assert_eq!(begun.elapsed(), SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_file_bounds_what_is_taken() {
        let taken = Cell::new(0);
        let body = stream::repeat_with(|| {
            taken.set(taken.get() + 1);
            Ok::<_, io::Error>(Bytes::from("x"))
        });
        let storing = within(HOUR, store(body, Silent));
        let error = storing.await.expect_err("it takes nothing");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(taken.get(), 1);
    }

    /// A chunk of ten bytes, so long after it was asked for.
    fn every(pause: Duration) -> impl Stream<Item = io::Result<Bytes>> {
        stream::repeat(()).then(move |()| async move {
            sleep(pause).await;
            Ok(Bytes::from("0123456789"))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn slow_file_is_no_silence_of_the_body() {
        let mut file = Vec::new();
        let slow = Slow::new(&mut file, 2 * SILENCE);
        let body = every(Duration::from_secs(1)).take(9);
        assert_eq!(store(body, slow).await.expect("stored"), 90);
        assert_eq!(file.len(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_body_has_ten_minutes_in_all() {
        let start = Instant::now();
        let empty = stream::repeat(()).then(async |()| {
            sleep(SILENCE / 2).await;
            Ok::<_, io::Error>(Bytes::new())
        });
        let storing = within(HOUR, store(empty, Vec::new()));
        let error = storing.await.expect_err("it has no end");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), LONGEST);
    }

    #[tokio::test]
    async fn failure_of_the_body_and_of_the_disk() {
        let mut file = Vec::new();
        let error = store(broken(), &mut file).await;
        let error = error.expect_err("it breaks off").to_string();
        assert_eq!(error, "connection reset");
        assert_eq!(file, b"order 1\nord");

        let body = || chunks(&b"order 1"[..]);
        let full = Failing::after(Vec::new(), 0);
        let error = store(body(), full).await.expect_err("it's full");
        assert_eq!(error.to_string(), "disk full");
    }

    #[tokio::test]
    async fn overload_by_a_body_without_an_end() {
        let mut file = Vec::new();
        let body = chunks(tokio::io::repeat(b'x'));
        let error = store(body, &mut file).await.expect_err("endless");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(file.len() <= LARGEST);
    }

    #[tokio::test]
    async fn edges_a_file_with_a_buffer() {
        let mut file = Vec::new();
        let buffered = tokio::io::BufWriter::new(&mut file);
        let stored = store(chunks(&b"order 1"[..]), buffered).await;
        assert_eq!(stored.expect("stored"), 7);
        assert_eq!(file, b"order 1");
    }

    #[tokio::test]
    async fn overload_by_empty_chunks_lets_others_run() {
        let empty =
            stream::repeat_with(|| Ok::<_, io::Error>(Bytes::new()));
        let storing = tokio::spawn(store(empty, tokio::io::sink()));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        storing.abort();
        assert!(storing.await.is_err());
    }

    #[tokio::test]
    async fn edges_of_the_size() {
        for length in [0, 1, LARGEST, LARGEST + 1] {
            let body = vec![b'x'; length];
            let stored = store(chunks(&body[..]), Vec::new()).await;
            assert_eq!(stored.is_ok(), length <= LARGEST);
        }
    }

    #[tokio::test]
    async fn cancel_leaves_the_start_of_the_body() {
        at_every_poll(async |cancel| {
            let body = stream::iter(["order 1\n", "order 2\n"]).then(
                async |chunk| {
                    tokio::task::yield_now().await;
                    Ok::<_, io::Error>(Bytes::from(chunk))
                },
            );
            let mut file = Vec::new();
            let stored = cancel.run(store(body, &mut file)).await;
            assert!(b"order 1\norder 2\n".starts_with(&file));
            assert!(stored.is_none() || file.len() == 16);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let body = chunks(&b"order 1"[..]);
        let storing = tokio::spawn(store(body, tokio::io::sink()));
        assert_eq!(storing.await.expect("no panic").expect("ok"), 7);
    }
}
