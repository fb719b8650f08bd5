//! Wrong: the answer stays in the buffer, and both sides wait.

use std::io;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufWriter, duplex, split,
};
use tokio::time::{Duration, timeout};

// ANCHOR: wrong
async fn serve(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut lines = BufReader::new(reader).lines();
    let mut writer = BufWriter::new(writer);
    while let Some(order) = lines.next_line().await? {
        let answer = format!("ok {order}\n");
        writer.write_all(answer.as_bytes()).await?; // No `flush`.
    }
    writer.shutdown().await
}
// ANCHOR_END: wrong

/// Sends an order, and waits for the answer before it sends another.
async fn order(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<[u8; 11]> {
    let mut answer = [0; 11];
    let ordering = async {
        socket.write_all(b"order 1\n").await?;
        socket.read_exact(&mut answer).await
    };
    timeout(Duration::from_secs(30), ordering).await??;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = duplex(64);
    let (reader, writer) = split(ours);
    let both = tokio::join!(serve(reader, writer), order(theirs));
    match both.1 {
        Ok(_) => println!("answered"),
        Err(error) => println!("no answer for 30 s: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_client_that_waits_for_its_answer() {
        let (ours, theirs) = duplex(64);
        let (reader, writer) = split(ours);
        let both = tokio::join!(serve(reader, writer), order(theirs));
        let error = both.1.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
