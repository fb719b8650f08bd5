//! Close a connection without a reset, even though the client has sent
//! more than the server has read.

use std::io;

use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink,
    },
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};

// ANCHOR: close
/// How long a client may take to read the answer and close, and how
/// many of the remaining bytes are read.
const LINGER: Duration = Duration::from_secs(5);
const REST: u64 = 1024 * 1024;

/// Sends EOF, and reads the rest of the input. Fails if the client
/// sends too much of it, or doesn't close in time. After an error, or
/// if this future is dropped, the client may see a reset.
async fn close(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let closing = async {
        socket.shutdown().await?;
        let mut rest = (&mut socket).take(REST);
        copy(&mut rest, &mut sink()).await
    };
    match timeout(LINGER, closing).await?? {
        REST => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

/// Reads the first line of an upload, and refuses the upload.
async fn refuse(mut socket: TcpStream) -> io::Result<()> {
    let mut head = [0; 7];
    timeout(LINGER, socket.read_exact(&mut head)).await??;
    timeout(LINGER, socket.write_all(b"too large\n")).await??;
    close(socket).await
}
// ANCHOR_END: close

/// Uploads two lines, of which the server reads one.
async fn upload() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?);
    let (mut client, (socket, _)) =
        tokio::try_join!(client, listener.accept())?;
    client.write_all(b"upload\n1 2 3\n").await?;
    let reading = async {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        drop(client);
        Ok(answer)
    };
    Ok(tokio::try_join!(refuse(socket), reading)?.1)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match upload().await {
        Ok(answer) => print!("the client got: {answer}"),
        Err(error) => println!("the client got: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{duplex, join, repeat};

    use super::*;

    #[tokio::test]
    async fn silence_is_no_reset() {
        assert_eq!(upload().await.expect("no reset"), "too large\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_client_is_limited() {
        let closed = within(HOUR, close(Silent)).await;
        let error = closed.expect_err("it doesn't close");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (_client, ours) = duplex(64);
        let closed = within(HOUR, close(ours)).await;
        let error = closed.expect_err("it doesn't close");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_have_five_seconds() {
        for (pause, closed_in_time) in [(1, true), (3, false)] {
            let (client, ours) = duplex(4);
            let pause = Duration::from_secs(pause);
            let mut client = Slow::new(client, pause);
            let sending = async move {
                for piece in [b"1 2 ", b"3 4 "] {
                    client.write_all(piece).await.ok();
                }
            };
            let (closed, ()) = tokio::join!(close(ours), sending);
            assert_eq!(closed.is_ok(), closed_in_time);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_input_is_limited() {
        let endless = join(repeat(b'x'), Vec::new());
        let error = close(endless).await.expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[tokio::test]
    async fn failure_of_the_connection_is_returned() {
        let socket = join(Failing::after(&b"1 2 3"[..], 1), Vec::new());
        close(socket).await.expect_err("reading fails");
    }

    #[tokio::test]
    async fn edges_nothing_is_left() {
        close(join(&b""[..], Vec::new())).await.expect("EOF");
        let socket = join(&b"\xff\xfe"[..], Vec::new());
        close(socket).await.expect("no text is needed");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        at_every_poll(async |cancel| {
            let (mut client, ours) = duplex(4);
            let client = async move {
                client.write_all(b"1 2 3 4 5").await.ok();
                client.shutdown().await.ok();
                let mut rest = Vec::new();
                client.read_to_end(&mut rest).await.expect("EOF");
            };
            let closing = cancel.run(close(ours));
            let both = async { tokio::join!(closing, client) };
            within(HOUR, both).await;
        })
        .await;
    }
}
