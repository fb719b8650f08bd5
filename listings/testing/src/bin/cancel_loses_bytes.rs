//! Wrong: a read that is dropped takes along what it has read.

use std::{
    io,
    pin::pin,
    task::Poll::{Pending, Ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_test::io::{Builder, Mock};

// ANCHOR: wrong
struct Orders<R> {
    client: R,
}

impl<R: AsyncRead + Unpin> Orders<R> {
    /// Wrong: what has been read so far is in the future, and goes
    /// with it.
    async fn next(&mut self) -> io::Result<String> {
        let mut line = String::new();
        loop {
            match self.client.read_u8().await? {
                b'\n' => return Ok(line),
                letter => line.push(letter.into()),
            }
        }
    }
}
// ANCHOR_END: wrong

/// Polls a future at most so many times, then drops it.
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

/// One line, which comes in three pieces.
fn client() -> Orders<Mock> {
    let pause = Duration::from_millis(10);
    let client = Builder::new()
        .read(b"ord")
        .wait(pause)
        .read(b"er ")
        .wait(pause)
        .read(b"17\n")
        .build();
    Orders { client }
}

/// What a second call returns, after the first one was dropped at
/// each of its awaits.
async fn dropped_and_called_again() -> io::Result<Vec<String>> {
    let mut told = Vec::new();
    for polls in 0.. {
        let mut orders = client();
        let first = drop_after(polls, orders.next()).await;
        if let Some(line) = first {
            told.push(line?);
            break;
        }
        told.push(orders.next().await?);
    }
    Ok(told)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let told = dropped_and_called_again().await?;
    for (polls, line) in told.iter().enumerate() {
        let what = match polls {
            3 => "ended after",
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
    async fn the_second_call_gets_the_rest() -> io::Result<()> {
        let told = dropped_and_called_again().await?;
        assert_eq!(told, ["order 17", "er 17", "17", "order 17"]);
        Ok(())
    }
}
