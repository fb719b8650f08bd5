//! Bytes that were read survive when the read is dropped.

use std::{
    io::{
        self,
        ErrorKind::{InvalidData, UnexpectedEof},
    },
    pin::pin,
    task::Poll::{Pending, Ready},
    time::Duration,
};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio_test::io::{Builder, Mock};

// ANCHOR: orders
struct Orders<R> {
    client: BufReader<R>,
    /// The part of the next line that has been read.
    line: Vec<u8>,
}

/// The longest line that's accepted, in bytes.
const LONGEST: usize = 1024;

impl<R: AsyncRead + Unpin> Orders<R> {
    /// The next line, or `None` when the client has closed cleanly.
    /// Can be dropped at any time, and called again. After an error,
    /// close the connection.
    async fn next(&mut self) -> io::Result<Option<String>> {
        let room = LONGEST - self.line.len();
        let mut client = (&mut self.client).take(room as u64);
        // Appends what it has read before it waits.
        client.read_until(b'\n', &mut self.line).await?;
        let kind = match self.line.last() {
            None => return Ok(None),
            Some(b'\n') => {
                self.line.pop();
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8(line);
                return text.map(Some).map_err(io::Error::other);
            }
            Some(_) if self.line.len() == LONGEST => InvalidData,
            Some(_) => UnexpectedEof,
        };
        Err(kind.into())
    }
}
// ANCHOR_END: orders

// ANCHOR: tool
/// Polls a future at most `polls` times, whenever it's woken. If it
/// isn't ready by then, drops it and returns `None`.
async fn drop_after<F: Future>(
    polls: usize,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Ready(output) => Ready(Some(output)),
            Pending if left == 0 => Ready(None),
            Pending => Pending,
        }
    })
    .await
}
// ANCHOR_END: tool

// ANCHOR: everywhere
/// A client that sends one line in three pieces.
fn client() -> Orders<Mock> {
    let pause = Duration::from_millis(10);
    let client = Builder::new()
        .read(b"ord")
        .wait(pause)
        .read(b"er ")
        .wait(pause)
        .read(b"17\n")
        .build();
    Orders { client: BufReader::new(client), line: Vec::new() }
}

/// Drops a call after each number of polls, and returns the results of
/// a second call. The last result is from a call that completed.
async fn dropped_and_called_again() -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for polls in 0.. {
        let mut orders = client();
        let first = drop_after(polls, orders.next()).await;
        let is_complete = first.is_some();
        let line = match first {
            Some(line) => line?,
            None => orders.next().await?,
        };
        lines.push(line.ok_or(UnexpectedEof)?);
        if is_complete {
            break;
        }
    }
    Ok(lines)
}
// ANCHOR_END: everywhere

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let lines = dropped_and_called_again().await?;
    for (polls, line) in lines.iter().enumerate() {
        let what = match polls {
            3 => "ready after",
            _ => "dropped after",
        };
        println!("{what} {polls} polls: {line:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_and_what_a_second_call_returns() -> io::Result<()> {
        let lines = dropped_and_called_again().await?;
        assert_eq!(lines, ["order 17"; 4]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_before_each_of_many_polls_loses_no_line() {
        let text = "order 1\n\nlatté 2\n".as_bytes();
        let mut builder = Builder::new();
        for byte in text.chunks(1) {
            builder.read(byte).wait(Duration::from_millis(1));
        }
        let client = BufReader::new(builder.build());
        let mut orders = Orders { client, line: Vec::new() };
        let mut lines = Vec::new();
        loop {
            let one_poll = drop_after(1, orders.next()).await;
            match one_poll.transpose().expect("it's text") {
                Some(Some(line)) => lines.push(line),
                Some(None) => break,
                None => {
                    tokio::time::sleep(Duration::from_millis(1)).await
                }
            }
        }
        assert_eq!(lines, ["order 1", "", "latté 2"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_of_the_tool() {
        let yields = || async {
            tokio::task::yield_now().await;
            17
        };
        assert_eq!(drop_after(0, yields()).await, None);
        assert_eq!(drop_after(1, yields()).await, None);
        assert_eq!(drop_after(2, yields()).await, Some(17));
        // Nothing wakes it: dropped right after the poll.
        let never = drop_after(1, std::future::pending::<()>());
        let limit = Duration::from_secs(5);
        assert_eq!(hazards::within(limit, never).await, None);
    }

    async fn all(bytes: &[u8]) -> (Vec<String>, Option<io::ErrorKind>) {
        let client = BufReader::new(bytes);
        let mut orders = Orders { client, line: Vec::new() };
        let mut lines = Vec::new();
        loop {
            match orders.next().await {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error.kind())),
            }
        }
    }

    #[tokio::test]
    async fn edges_of_the_lines() {
        assert_eq!(all(b"").await, (vec![], None));
        let one = |line: &str| vec![line.to_owned()];
        let cafe = "café 17\n".as_bytes();
        assert_eq!(all(cafe).await, (one("café 17"), None));
        let torn = b"order 17\norder 1";
        let expected = (one("order 17"), Some(UnexpectedEof));
        assert_eq!(all(torn).await, expected);
        let latin_1 = b"caf\xe9\n";
        assert_eq!(all(latin_1).await.1, Some(io::ErrorKind::Other));
        let longest = [b"x".repeat(LONGEST - 1), b"\n".to_vec()];
        assert_eq!(all(&longest.concat()).await.1, None);
        let endless = b"x".repeat(2 * LONGEST);
        assert_eq!(all(&endless).await, (vec![], Some(InvalidData)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_callers_timeout_and_loses_nothing() {
        let client = Builder::new()
            .read(b"ord")
            .wait(hazards::HOUR)
            .read(b"er 17\n")
            .build();
        let client = BufReader::new(client);
        let mut orders = Orders { client, line: Vec::new() };
        let minute = Duration::from_secs(60);
        let next = tokio::time::timeout(minute, orders.next());
        assert!(next.await.is_err());
        let line = orders.next().await.expect("a line");
        assert_eq!(line.as_deref(), Some("order 17"));
    }

    #[tokio::test]
    async fn failure_to_read_reaches_the_caller() {
        let reset = io::ErrorKind::ConnectionReset;
        let client = Builder::new()
            .read(b"ord")
            .read_error(reset.into())
            .build();
        let client = BufReader::new(client);
        let mut orders = Orders { client, line: Vec::new() };
        let error = orders.next().await.expect_err("it is reset");
        assert_eq!(error.kind(), reset);
    }
}
