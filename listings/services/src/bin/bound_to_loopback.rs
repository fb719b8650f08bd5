//! A server that listens on 127.0.0.1 can't be reached through another
//! address, which is what happens in a container.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream};

// ANCHOR: bind
async fn try_to_connect(listen: &str, client: &str) -> io::Result<()> {
    let listener = TcpListener::bind((listen, 0)).await?;
    let port = listener.local_addr()?.port();
    let server = SocketAddr::new(client_address(client)?, port);
    match TcpStream::connect(server).await {
        Ok(_) => println!("{listen} via {client}: connected"),
        Err(error) => {
            println!("{listen} via {client}: {:?}", error.kind());
        }
    }
    Ok(())
}

async fn compare() -> io::Result<()> {
    try_to_connect("127.0.0.1", "127.0.0.1").await?;
    // Another address of this machine, as eth0 has in a container.
    try_to_connect("127.0.0.1", "127.0.0.2").await?;
    try_to_connect("0.0.0.0", "127.0.0.2").await
}
// ANCHOR_END: bind

fn client_address(text: &str) -> io::Result<std::net::IpAddr> {
    text.parse().map_err(io::Error::other)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    compare().await
}
