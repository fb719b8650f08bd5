//! Wrong: each read is taken for one order.

use std::io;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex,
};
use tokio::time::{Duration, sleep};

// ANCHOR: wrong
async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    mut take: impl FnMut(&str),
) -> io::Result<()> {
    let mut buffer = [0; 100];
    loop {
        let length = socket.read(&mut buffer).await?;
        if length == 0 {
            return Ok(()); // The client has closed its side.
        }
        take(&String::from_utf8_lossy(&buffer[..length]));
    }
}
// ANCHOR_END: wrong

async fn send_three_orders(
    mut socket: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    socket.write_all(b"order 1\norder 2\nord").await?;
    sleep(Duration::from_millis(10)).await;
    socket.write_all(b"er 3\n").await?;
    socket.shutdown().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, theirs) = duplex(64);
    let serving = serve(ours, |order| println!("taken: {order:?}"));
    tokio::try_join!(serving, send_three_orders(theirs))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_two_and_a_half_orders_in_one_write() {
        let (ours, theirs) = duplex(64);
        let mut taken = Vec::new();
        let serving = serve(ours, |order| taken.push(order.to_owned()));
        let sending = send_three_orders(theirs);
        tokio::try_join!(serving, sending).expect("it's in memory");
        assert_eq!(taken, ["order 1\norder 2\nord", "er 3\n"]);
    }
}
