//! Wrong: a socket that is dropped with unread input resets the
//! connection, and the client loses the answer.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};

const PATIENCE: Duration = Duration::from_secs(5);

// ANCHOR: wrong
/// Reads the first line of an upload, and refuses the upload.
async fn refuse(mut socket: TcpStream) -> io::Result<()> {
    let mut head = [0; 7];
    timeout(PATIENCE, socket.read_exact(&mut head)).await??;
    timeout(PATIENCE, socket.write_all(b"too large\n")).await??;
    Ok(()) // Wrong: the rest of the upload hasn't been read.
}
// ANCHOR_END: wrong

/// Uploads two lines, of which the server reads one.
async fn upload() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?);
    let (mut client, (socket, _)) =
        tokio::try_join!(client, listener.accept())?;
    client.write_all(b"upload\n1 2 3\n").await?;
    refuse(socket).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    Ok(answer)
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
    use super::*;

    #[tokio::test]
    async fn silence_is_no_reset() {
        let error = upload().await.expect_err("it is");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
