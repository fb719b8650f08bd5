//! Wait for a socket.

use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::try_join!(TcpStream::connect(address), listener.accept())?;
    println!("no");
    Ok(())
}
