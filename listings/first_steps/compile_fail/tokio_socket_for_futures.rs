//! Wrong: Tokio's socket doesn't implement the traits of `futures`.

use std::io;

use tokio::net::TcpStream;

/// A library's function, written for the trait of `futures`.
fn attach(_socket: impl futures::AsyncRead + Unpin) {}

#[tokio::main]
async fn main() -> io::Result<()> {
    let socket = TcpStream::connect("127.0.0.1:8080").await?;
    attach(socket);
    Ok(())
}
