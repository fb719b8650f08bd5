//! Use a Tokio socket with a library for `futures`, and vice versa.

use std::io;

// ANCHOR: library
/// A library's function, written for the traits of `futures`.
mod library {
    use futures::io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
    };
    use std::io;

    pub async fn greet(
        mut socket: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<String> {
        socket.write_all(b"hello\n").await?;
        socket.close().await?; // Tokio's `shutdown`.
        let mut answer = String::new();
        let mut limited = socket.take(1_000);
        limited.read_to_string(&mut answer).await?;
        match limited.limit() {
            0 => Err(io::Error::other("the answer is too long")),
            _ => Ok(answer),
        }
    }
}
// ANCHOR_END: library

// ANCHOR: compat
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Duration, timeout};
use tokio_util::compat::{
    FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt,
};

/// Tokio's socket for the library's function.
async fn greet(
    socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<String> {
    let greeting = library::greet(socket.compat());
    timeout(Duration::from_secs(60), greeting).await?
}

/// Passes a `futures` reader to Tokio's `copy`. After an error, or if
/// this is dropped, `file` contains only the start of the data.
async fn save(
    reader: impl futures::AsyncRead + Unpin,
    file: &mut (impl AsyncWrite + Unpin),
) -> io::Result<u64> {
    let mut reader = reader.compat();
    let copying = tokio::io::copy(&mut reader, file);
    timeout(Duration::from_secs(60), copying).await?
}
// ANCHOR_END: compat

use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async {
        let (mut socket, _) = listener.accept().await?;
        let (mut reader, mut writer) = socket.split();
        let copying = tokio::io::copy(&mut reader, &mut writer);
        timeout(Duration::from_secs(60), copying).await?
    };
    let client =
        async { greet(TcpStream::connect(address).await?).await };
    let (_, answer) = tokio::try_join!(server, client)?;
    let mut file = Vec::new();
    let reader = futures::io::Cursor::new(answer);
    println!("{} bytes saved", save(reader, &mut file).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, at_every_poll, within};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, join};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let error = within(HOUR, greet(Silent)).await;
        let error = error.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut file = Vec::new();
        let saving = save(Silent.compat(), &mut file);
        within(HOUR, saving).await.expect_err("silent");
    }

    #[tokio::test]
    async fn failure_passes_through_the_adapter() {
        let socket = join(&b"ok"[..], Failing::after(Vec::new(), 0));
        let error = greet(socket).await.expect_err("it fails");
        assert_eq!(error.to_string(), "disk full");
        let reader = Failing::after(&b"ok"[..], 0).compat();
        let error = save(reader, &mut Vec::new()).await;
        let error = error.expect_err("it fails");
        assert_eq!(error.to_string(), "disk full");
    }

    #[tokio::test]
    async fn edges_close_is_shutdown_and_an_answer_may_be_empty() {
        let (ours, mut theirs) = duplex(64);
        let peer = async {
            let mut greeting = String::new();
            // Ends, because `close` has sent EOF.
            theirs.read_to_string(&mut greeting).await.expect("text");
            theirs.shutdown().await.expect("in memory");
            greeting
        };
        let (answer, greeting) = tokio::join!(greet(ours), peer);
        assert_eq!(greeting, "hello\n");
        assert_eq!(answer.expect("it's empty"), "");
    }

    #[tokio::test]
    async fn edges_an_answer_that_is_too_long_is_an_error() {
        for (length, is_good) in [(999, true), (1_000, false)] {
            let answer = tokio::io::repeat(b'x').take(length);
            let greeted = greet(join(answer, Vec::new())).await;
            assert_eq!(greeted.is_ok(), is_good, "{length}");
        }
    }

    #[tokio::test]
    async fn cancel_saves_no_byte_twice() {
        at_every_poll(async |cancel| {
            let (mut ours, theirs) = duplex(4);
            let text = b"table 1: soup\n";
            let mut file = Vec::new();
            let both = async {
                let send = async {
                    ours.write_all(text).await.ok();
                    drop(ours);
                };
                let saving = save(theirs.compat(), &mut file);
                tokio::join!(saving, send).0
            };
            let saved = cancel.run(both).await;
            assert!(text.starts_with(&file));
            assert!(saved.is_none() || file == text);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_can_use_adapted_sockets() {
        let (ours, theirs) = duplex(4);
        let greeting = tokio::spawn(greet(ours));
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let echoed = tokio::io::copy(&mut reader, &mut writer).await;
        assert_eq!(echoed.expect("in memory"), 6);
        writer.shutdown().await.expect("in memory");
        let answer = greeting.await.expect("no panic");
        assert_eq!(answer.expect("an answer"), "hello\n");
    }
}
