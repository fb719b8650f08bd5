//! Wrong: dropping a read loses the bytes that it has already read.

use std::{
    io,
    pin::pin,
    task::Poll::{Pending, Ready},
    time::Duration,
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_test::io::{Builder, Mock};

// ANCHOR: wrong
struct Orders<R> {
    client: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Orders<R> {
    /// Wrong: the bytes that have been read are in the future, and are
    /// dropped with it.
    async fn next(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.client.read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        String::from_utf8(line).map_err(io::Error::other)
    }
}
// ANCHOR_END: wrong

/// Polls a future at most `polls` times, then drops it.
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
    Orders { client: BufReader::new(client) }
}

/// Drops a call after each number of polls, and returns the results of
/// a second call. The last result is from a call that completed.
async fn dropped_and_called_again() -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for polls in 0.. {
        let mut orders = client();
        let first = drop_after(polls, orders.next()).await;
        if let Some(line) = first {
            lines.push(line?);
            break;
        }
        lines.push(orders.next().await?);
    }
    Ok(lines)
}

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
        assert_eq!(lines, ["order 17", "er 17", "17", "order 17"]);
        Ok(())
    }
}
