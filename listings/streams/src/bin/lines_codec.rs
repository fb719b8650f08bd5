//! Commands from a socket: whole lines, a length limit, a timeout.

// ANCHOR: whole_lines
use bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec, LinesCodecError};

/// Lines that end with `\n`. `LinesCodec` alone also passes on the
/// start of a line that the peer never finished. Here that's an error,
/// because [`Decoder::decode_eof`] isn't overridden.
struct WholeLines(LinesCodec);

impl Decoder for WholeLines {
    type Item = String;
    type Error = LinesCodecError;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> Result<Option<String>, LinesCodecError> {
        self.0.decode(bytes)
    }
}
// ANCHOR_END: whole_lines

// ANCHOR: read_commands
use std::io;

use futures::StreamExt;
use tokio::{
    io::AsyncRead,
    task::coop::consume_budget,
    time::{Duration, timeout},
};
use tokio_util::codec::FramedRead;

/// In bytes. The `\r` of a `\r\n` counts, the `\n` doesn't.
const LONGEST: usize = 40;
/// How long a peer may take for one line.
const PATIENCE: Duration = Duration::from_secs(60);

/// Handles the commands of a peer, one per line, until it has no more.
///
/// If dropped, it loses commands that it has read but not yet handled:
/// close the connection then.
///
/// # Errors
///
/// A line is too long, isn't UTF-8, or stops in the middle; the peer
/// takes more than a minute for a line; or the connection fails. The
/// commands before that were handled.
async fn read_commands<F: Future<Output = ()>>(
    socket: impl AsyncRead + Unpin,
    mut handle: impl FnMut(String) -> F,
) -> Result<(), LinesCodecError> {
    let codec = LinesCodec::new_with_max_length(LONGEST);
    let mut lines = FramedRead::new(socket, WholeLines(codec));
    loop {
        consume_budget().await; // Thousands of lines may be buffered.
        let line = timeout(PATIENCE, lines.next()).await;
        match line.map_err(io::Error::from)? {
            Some(line) => handle(line?).await,
            None => return Ok(()),
        }
    }
}
// ANCHOR_END: read_commands

use tokio::io::{AsyncWriteExt, duplex};

/// Writes piece by piece: a piece is not a line. Then it disconnects
/// in the middle of a command.
async fn peer(mut socket: impl AsyncWriteExt + Unpin) {
    for piece in ["or", "der 1\r\nord", "er 2\npay 10"] {
        if socket.write_all(piece.as_bytes()).await.is_err() {
            return; // The other side has disconnected.
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = duplex(16);
    let reading = async {
        let print = async |command| println!("{command:?}");
        // At the end of this block, our side of the socket is dropped.
        read_commands(ours, print).await
    };
    let (outcome, ()) = tokio::join!(reading, peer(theirs));
    match outcome {
        Ok(()) => println!("the end"),
        Err(error) => println!("error: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio_util::codec::AnyDelimiterCodec;

    use super::*;

    async fn commands(
        socket: impl AsyncRead + Unpin,
    ) -> (Vec<String>, Result<(), LinesCodecError>) {
        let mut commands = Vec::new();
        let keep = |command| {
            commands.push(command);
            ready(())
        };
        let outcome = read_commands(socket, keep).await;
        (commands, outcome)
    }

    async fn error_of(bytes: &[u8]) -> (Vec<String>, String) {
        let (commands, outcome) = commands(bytes).await;
        (commands, outcome.expect_err("it's refused").to_string())
    }

    #[tokio::test]
    async fn crash_of_the_peer_in_the_middle_of_a_command() {
        let whole = b"order 1\npay 1000 to bob\n";
        for length in 0..whole.len() {
            let sent = &whole[..length];
            let (commands, outcome) = commands(sent).await;
            let ends = sent.iter().filter(|byte| **byte == b'\n');
            assert_eq!(commands.len(), ends.count(), "{length}");
            assert_eq!(
                outcome.is_ok(),
                sent.last().is_none_or(|byte| *byte == b'\n'),
                "{length}"
            );
        }
    }

    /// What `LinesCodec` alone does: the reason for `WholeLines`.
    #[tokio::test]
    async fn lines_codec_alone_passes_on_half_a_command() {
        let mut lines =
            FramedRead::new(&b"pay 10"[..], LinesCodec::new());
        let line = lines.next().await.expect("an item");
        assert_eq!(line.expect("no error"), "pay 10");
    }

    #[tokio::test]
    async fn any_delimiter_codec_does_the_same() {
        let semicolon = b";".to_vec();
        let codec =
            AnyDelimiterCodec::new(semicolon.clone(), semicolon);
        let mut parts = FramedRead::new(&b"pay 10"[..], codec);
        let part = parts.next().await.expect("an item");
        assert_eq!(part.expect("no error"), "pay 10");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_connection() {
        let outcome = within(HOUR, commands(Silent)).await.1;
        let error = outcome.expect_err("it has waited long enough");
        assert_eq!(error.to_string(), "timed out");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bytes_do_not_extend_the_time_for_a_line() {
        // A byte every ten seconds, forever.
        let endless = tokio::io::repeat(b'x').take(39);
        let endless = Slow::new(OneByte(endless), PATIENCE / 6);
        let outcome = within(HOUR, commands(endless)).await.1;
        let error = outcome.expect_err("the line isn't complete");
        assert_eq!(error.to_string(), "timed out");
    }

    use std::{
        pin::Pin,
        task::{Context, Poll, ready as is_ready},
    };

    use tokio::io::{AsyncReadExt, ReadBuf};

    /// Reads one byte at a time.
    struct OneByte<R>(R);

    impl<R: AsyncRead + Unpin> AsyncRead for OneByte<R> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            let reader = Pin::new(&mut self.0);
            is_ready!(reader.poll_read(context, &mut one))?;
            buffer.put_slice(one.filled());
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn overload_by_a_line_without_an_end() {
        let endless = tokio::io::repeat(b'x');
        let (commands, outcome) = commands(endless).await;
        assert!(commands.is_empty());
        let error = outcome.expect_err("it's too long");
        assert!(matches!(
            error,
            LinesCodecError::MaxLineLengthExceeded
        ));
    }

    /// Three reads return all of these lines. Without `consume_budget`,
    /// no other task would run before the last line.
    #[tokio::test]
    async fn overload_of_lines_lets_other_tasks_run() {
        let (ours, mut theirs) = duplex(20_000);
        let all = b"a\n".repeat(10_000);
        theirs.write_all(&all).await.expect("there is room");
        drop(theirs);
        let mut lines = FramedRead::new(ours, LinesCodec::new());
        let alone = polls_during(async move {
            while let Some(line) = lines.next().await {
                line.expect("it's text");
            }
        });
        assert_eq!(alone.await, 0);

        let handled = async {
            let (lines, outcome) = commands(&all[..]).await;
            assert!(lines.len() == 10_000 && outcome.is_ok());
        };
        assert_eq!(polls_during(handled).await, 10_000 / 128);
    }

    /// Counts how often another task is polled during `work`.
    async fn polls_during(work: impl Future<Output = ()>) -> u32 {
        use std::sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        };
        tokio::task::yield_now().await; // Starts with a full budget.
        let polls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&polls);
        let other = tokio::spawn(async move {
            loop {
                count.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
            }
        });
        work.await;
        other.abort();
        polls.load(Relaxed)
    }

    #[tokio::test]
    async fn edges_of_the_limit_and_of_text() {
        assert!(commands(&b""[..]).await.1.is_ok());
        let (lines, outcome) = commands(&b"\n\r\n"[..]).await;
        assert!(outcome.is_ok());
        assert_eq!(lines, ["", ""]);

        let longest = format!("{}\n", "x".repeat(LONGEST));
        assert!(commands(longest.as_bytes()).await.1.is_ok());
        let too_long = "max line length exceeded";
        let with_return = longest.replace('\n', "\r\n");
        assert_eq!(error_of(with_return.as_bytes()).await.1, too_long);
        let bytes_count = format!("{}\n", "ä".repeat(21));
        assert_eq!(error_of(bytes_count.as_bytes()).await.1, too_long);

        let (lines, error) = error_of(b"one\n\xff\ntwo\n").await;
        assert_eq!(lines, ["one"]);
        assert_eq!(error, "Unable to decode input as UTF8");
    }

    #[tokio::test]
    async fn failure_of_the_connection_is_returned() {
        let socket = Failing::after(&b"one\ntwo\n"[..], 1);
        let (lines, outcome) = commands(socket).await;
        assert_eq!(lines, ["one", "two"]);
        let error = outcome.expect_err("it has failed");
        assert_eq!(error.to_string(), "disk full");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_handles_nothing_twice() {
        at_every_poll(async |cancel| {
            let handled = RefCell::new(Vec::new());
            let (ours, mut theirs) = duplex(4);
            let write = async {
                let lines = b"one\ntwo\nthree\n";
                theirs.write_all(lines).await.ok();
                drop(theirs);
            };
            let read = read_commands(ours, |command| {
                handled.borrow_mut().push(command);
                tokio::task::yield_now()
            });
            let both = async { tokio::join!(read, write).0 };
            let outcome = cancel.run(both).await;
            let all = ["one", "two", "three"];
            let handled = handled.into_inner();
            assert_eq!(handled, all[..handled.len()]);
            if let Some(outcome) = outcome {
                outcome.expect("the lines are whole");
                assert_eq!(handled, all);
            }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_read_a_hundred_connections() {
        let mut tasks = tokio::task::JoinSet::new();
        for peer in 0..100 {
            tasks.spawn(async move {
                let (ours, mut theirs) = duplex(4);
                let line = format!("order {peer}\n");
                let mut seen = String::new();
                let keep = |command: String| {
                    seen.push_str(&command);
                    ready(())
                };
                let write = async {
                    let written = theirs.write_all(line.as_bytes());
                    written.await.expect("it is read");
                    drop(theirs);
                };
                let read = read_commands(ours, keep);
                let (outcome, ()) = tokio::join!(read, write);
                outcome.expect("a whole line");
                assert_eq!(seen, line.trim_end());
            });
        }
        assert_eq!(tasks.join_all().await.len(), 100);
    }
}
