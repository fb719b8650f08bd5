//! Wrong: `split` borrows the socket, and a task can't borrow it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut socket = TcpStream::connect("127.0.0.1:8080").await?;
    let (mut reader, mut writer) = socket.split();
    let receiving = tokio::spawn(async move {
        let mut answer = String::new();
        reader.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    });
    writer.write_all(b"order 1\n").await?;
    println!("{}", receiving.await??);
    Ok(())
}
