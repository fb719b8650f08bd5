//! What a UDP socket reports, and what it doesn't.

use std::io;

use tokio::{
    net::UdpSocket,
    time::{Duration, timeout},
};

fn show<T>(what: &str, outcome: io::Result<T>) {
    match outcome {
        Ok(_) => println!("{what}: Ok"),
        Err(error) => println!("{what}: {error}"),
    }
}

// ANCHOR: errors
async fn errors() -> io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(server.local_addr()?).await?;

    client.send(b"order 1, 12 cakes").await?;
    let mut small = [0; 8];
    let (length, from) = server.recv_from(&mut small).await?;
    println!("{:?}", String::from_utf8_lossy(&small[..length]));

    show("65,508 bytes", client.send(&[b'x'; 65_508]).await);

    server.send_to(b"", from).await?;
    println!("an empty datagram: {:?}", client.recv(&mut small).await);

    drop(server);
    show("nobody listens, send", client.send(b"order 2").await);
    show("nobody listens, recv", client.recv(&mut small).await);

    let silence = Duration::from_millis(20);
    let answer = timeout(silence, client.recv(&mut small)).await;
    println!("the same socket is still open: {}", answer.is_err());
    Ok(())
}
// ANCHOR_END: errors

// ANCHOR: flood
/// Sends 10 MB, and only then receives.
async fn flood() -> io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(server.local_addr()?).await?;
    let (sent, mut received) = (10_000, 0);
    for _ in 0..sent {
        client.send(&[b'x'; 1000]).await?;
    }
    let (mut buffer, silence) = ([0; 1000], Duration::from_millis(20));
    while let Ok(datagram) =
        timeout(silence, server.recv(&mut buffer)).await
    {
        datagram?;
        received += 1;
    }
    println!("sent without an error: {sent}");
    println!("some of them received: {}", received > 0);
    println!("all of them received: {}", received == sent);
    Ok(())
}
// ANCHOR_END: flood

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    errors().await?;
    flood().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_belongs_to_the_datagram_before() {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("lo");
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("lo");
        let address = server.local_addr().expect("bound");
        client.connect(address).await.expect("no handshake");
        drop(server);
        client.send(b"1").await.expect("it was sent");
        let error = client.send(b"2").await.expect_err("of the first");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
