//! When is an address still in use, and what does `SO_REUSEADDR` change?

// ANCHOR: restart
use std::{io, net::SocketAddr};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
};

/// Accepts a client, and closes the connection before the client does.
/// The system then keeps the address for a while, in TIME_WAIT.
async fn serve_once(listener: TcpListener) -> io::Result<()> {
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (connection, _address) = listener.accept().await?;
    drop(connection);
    let read = client.read(&mut [0; 8]).await?;
    assert_eq!(read, 0); // The client has seen the end.
    Ok(())
}

/// Like `TcpListener::bind`, but without `SO_REUSEADDR`.
fn bind_exclusively(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(false)?;
    socket.bind(address)?;
    socket.listen(128)
}

async fn restart() -> io::Result<()> {
    let old = TcpListener::bind("127.0.0.1:0").await?;
    let address = old.local_addr()?;
    print("while it runs", &TcpListener::bind(address).await);
    serve_once(old).await?;
    print("without SO_REUSEADDR", &bind_exclusively(address));
    print("after it stopped", &TcpListener::bind(address).await);
    Ok(())
}
// ANCHOR_END: restart

fn print(when: &str, bound: &io::Result<TcpListener>) {
    match bound {
        Ok(_) => println!("{when:<21} bound"),
        Err(error) => println!("{when:<21} {error}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    restart().await
}
