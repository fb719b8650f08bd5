//! A peer that follows a script: it splits, waits and fails.

// ANCHOR: session
use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt},
    io::{BufReader, split},
    time::{Duration, timeout},
};

/// Takes one order from a client, and tells it so.
///
/// `S` is a `TcpStream` in production. Nothing else is generic.
async fn take_order<S>(client: S) -> io::Result<u32>
where
    S: AsyncRead + AsyncWrite,
{
    let (read, mut write) = split(client);
    let mut lines = BufReader::new(read).lines();
    let limit = Duration::from_secs(5);
    let line = timeout(limit, lines.next_line()).await??;
    let order = line
        .and_then(|line| line.strip_prefix("order ")?.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    write.write_all(b"accepted\n").await?;
    write.flush().await?;
    Ok(order)
}
// ANCHOR_END: session

// ANCHOR: scripts
use tokio_test::io::Builder;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let second = Duration::from_secs(1);
    let in_pieces = Builder::new()
        .read(b"ord")
        .wait(second)
        .read(b"er 17\n")
        .write(b"accepted\n")
        .build();
    println!("in pieces: {:?}", told(take_order(in_pieces).await));

    let slow = Builder::new().read(b"ord").wait(6 * second).build();
    println!("slow:      {:?}", told(take_order(slow).await));

    let reset = io::ErrorKind::ConnectionReset;
    let breaks = Builder::new()
        .read(b"order 17\n")
        .write_error(reset.into())
        .build();
    println!("breaks:    {:?}", told(take_order(breaks).await));
}
// ANCHOR_END: scripts

fn told(taken: io::Result<u32>) -> Result<u32, io::ErrorKind> {
    taken.map_err(|error| error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_order_is_no_order() {
        for line in [b"".as_slice(), b"order x\n", b"17\n"] {
            let client = Builder::new().read(line).build();
            let taken = told(take_order(client).await);
            assert_eq!(taken, Err(io::ErrorKind::InvalidData));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_for_the_line() {
        let client = Builder::new()
            .wait(Duration::from_secs(4))
            .read(b"order 17\n")
            .write(b"accepted\n")
            .build();
        assert_eq!(told(take_order(client).await), Ok(17));
    }

    // ANCHOR: panics
    #[tokio::test]
    #[should_panic(expected = "name=client 7")]
    async fn what_is_written_must_be_in_the_script() {
        let client = Builder::new()
            .name("client 7")
            .read(b"order 17\n")
            .write(b"refused\n")
            .build();
        let _ = take_order(client).await;
    }

    #[tokio::test]
    #[should_panic(expected = "still data left to write")]
    async fn the_script_must_be_played_to_its_end() {
        let client = Builder::new()
            .read(b"nonsense\n")
            .write(b"refused\n")
            .build();
        let _ = take_order(client).await;
    }
    // ANCHOR_END: panics
}
