//! Wrong: the import is of `futures`, the socket is of Tokio.

use std::io;

use futures::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut socket = TcpStream::connect("127.0.0.1:8080").await?;
    let mut buffer = [0; 100];
    let length = socket.read(&mut buffer).await?;
    println!("{length} bytes");
    Ok(())
}
