//! The same bytes, read by different methods.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A peer that sends one and a half lines in two pieces, then EOF.
fn connect() -> impl AsyncRead + Unpin {
    (&b"ord"[..]).chain(&b"er 1\nor"[..])
}

// ANCHOR: reads
async fn reads() -> io::Result<()> {
    let (mut socket, mut buffer) = (connect(), [0; 100]);
    for _ in 0..3 {
        let length = socket.read(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        println!("read: Ok({length}) {text:?}");
    }
    let mut buffer = Vec::with_capacity(100);
    let length = connect().read(&mut buffer).await?;
    println!("read into an empty Vec: Ok({length})");
    let length = connect().read_buf(&mut buffer).await?;
    println!("read_buf into it: Ok({length})");

    let (mut socket, mut buffer) = (connect(), [0; 8]);
    for _ in 0..2 {
        match socket.read_exact(&mut buffer).await {
            Ok(length) => println!("read_exact: Ok({length})"),
            Err(error) => println!("read_exact: {error}"),
        }
    }
    let mut socket = BufReader::new(connect());
    for _ in 0..3 {
        let mut line = String::new();
        let length = socket.read_line(&mut line).await?;
        println!("read_line: Ok({length}) {line:?}");
    }
    let mut lines = BufReader::new(connect()).lines();
    for _ in 0..3 {
        println!("next_line: {:?}", lines.next_line().await?);
    }
    let mut all = String::new();
    connect().read_to_string(&mut all).await?;
    println!("read_to_string: {all:?}");
    Ok(())
}
// ANCHOR_END: reads

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    reads().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn read_exact_fails_at_the_end() {
        let mut socket = connect();
        let mut buffer = [0; 8];
        socket.read_exact(&mut buffer).await.expect("a line");
        let error = socket.read_exact(&mut buffer).await;
        let error = error.expect_err("half a line");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "early eof");
    }

    #[tokio::test]
    async fn a_line_without_its_end_is_returned() {
        let mut lines = BufReader::new(connect()).lines();
        for expected in [Some("order 1"), Some("or"), None] {
            let line = lines.next_line().await.expect("it's text");
            assert_eq!(line.as_deref(), expected);
        }
    }
}
