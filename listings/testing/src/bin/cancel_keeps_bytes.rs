//! What has been read outlives the read that is dropped.

use std::{
    io,
    pin::pin,
    task::Poll::{Pending, Ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_test::io::{Builder, Mock};

// ANCHOR: orders
struct Orders<R> {
    client: R,
    /// What has been read of the next line.
    line: String,
}

impl<R: AsyncRead + Unpin> Orders<R> {
    /// The next line. Can be dropped at any time, and called again.
    async fn next(&mut self) -> io::Result<String> {
        loop {
            match self.client.read_u8().await? {
                b'\n' => return Ok(std::mem::take(&mut self.line)),
                letter => self.line.push(letter.into()),
            }
        }
    }
}
// ANCHOR_END: orders

// ANCHOR: tool
/// Polls a future at most so many times, each time when it is woken,
/// and then drops it. `None`: it had not ended.
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
    Orders { client, line: String::new() }
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
// ANCHOR_END: everywhere

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
    async fn it_can_be_dropped_at_each_await() -> io::Result<()> {
        let told = dropped_and_called_again().await?;
        assert_eq!(told, ["order 17"; 4]);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_tool_drops_when_it_says() {
        let yields = || async {
            tokio::task::yield_now().await;
            17
        };
        assert_eq!(drop_after(0, yields()).await, None);
        assert_eq!(drop_after(1, yields()).await, None);
        assert_eq!(drop_after(2, yields()).await, Some(17));
    }
}
