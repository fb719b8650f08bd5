//! Wrong: the client never sends EOF, so both sides read forever.

use std::io;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex,
};
use tokio::time::{Duration, timeout};

// ANCHOR: wrong
async fn ask(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> io::Result<String> {
    let mut answer = String::new();
    socket.write_all(request.as_bytes()).await?;
    socket.flush().await?; // Sends what was written, but no EOF.
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn count(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut orders = String::new();
    socket.read_to_string(&mut orders).await?; // Waits for EOF.
    let answer = format!("{} orders\n", orders.lines().count());
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await
}
// ANCHOR_END: wrong

async fn ask_and_count() -> io::Result<String> {
    let (ours, theirs) = duplex(64);
    let asking = ask(ours, "order 1\norder 2\n");
    let both = async { tokio::try_join!(asking, count(theirs)) };
    let (answer, ()) = timeout(Duration::from_secs(60), both).await??;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match ask_and_count().await {
        Ok(answer) => print!("{answer}"),
        Err(error) => println!("after 60 s: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_two_sides_that_wait_for_the_end() {
        let error = ask_and_count().await.expect_err("both wait");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
