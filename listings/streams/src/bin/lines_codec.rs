//! Lines of a socket, none of them longer than allowed.

// ANCHOR: read_commands
use futures::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

const LONGEST: usize = 40;

/// Reads commands, one in each line, until the peer has no more.
///
/// # Errors
///
/// The line is too long, or is not text; or the connection is gone.
/// What came before was handled.
async fn read_commands(
    socket: impl AsyncRead + Unpin,
    mut handle: impl AsyncFnMut(String),
) -> Result<(), LinesCodecError> {
    let codec = LinesCodec::new_with_max_length(LONGEST);
    let mut lines = FramedRead::new(socket, codec);
    while let Some(line) = lines.next().await {
        handle(line?).await;
    }
    Ok(())
}
// ANCHOR_END: read_commands

use tokio::io::{AsyncWriteExt, duplex};

/// Writes piece by piece: a piece is not a line.
async fn peer(mut socket: impl AsyncWriteExt + Unpin) {
    let endless = "x".repeat(1000);
    for piece in ["or", "der 1\r\nord", "er 2\n", &endless] {
        if socket.write_all(piece.as_bytes()).await.is_err() {
            return; // The other side has hung up.
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
    use super::*;

    async fn commands(
        bytes: &[u8],
    ) -> (Vec<String>, Result<(), LinesCodecError>) {
        let mut commands = Vec::new();
        let keep = async |command| commands.push(command);
        let outcome = read_commands(bytes, keep).await;
        (commands, outcome)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_last_line_needs_no_end() {
        let (lines, outcome) = commands(b"one\ntwo").await;
        assert_eq!(lines, ["one", "two"]);
        assert!(outcome.is_ok());
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_refused() {
        let endless = [b'x'; 100];
        let (lines, outcome) = commands(&endless).await;
        assert!(lines.is_empty());
        let error = outcome.expect_err("it is too long");
        assert!(matches!(
            error,
            LinesCodecError::MaxLineLengthExceeded
        ));
    }
}
