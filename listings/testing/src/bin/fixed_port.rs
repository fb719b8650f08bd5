//! Wrong: each test starts its server on the same port.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

// ANCHOR: wrong
/// Wrong: `cargo test` runs tests concurrently, and only one of them
/// can bind the port.
async fn start(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await
}

async fn two_tests(port: u16) -> io::Result<(SocketAddr, SocketAddr)> {
    let (one, other) = tokio::try_join!(start(port), start(port))?;
    Ok((one.local_addr()?, other.local_addr()?))
}
// ANCHOR_END: wrong

/// A port that was free a moment ago. It stands for a fixed port, which
/// may be in use on your machine.
async fn chosen() -> io::Result<u16> {
    Ok(start(0).await?.local_addr()?.port())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    match two_tests(chosen().await?).await {
        Ok(_) => println!("a fixed port: both run"),
        Err(error) => println!("a fixed port: {:?}", error.kind()),
    }
    let (one, other) = two_tests(0).await?;
    println!("port 0: both run, on two ports: {}", one != other);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_two_tests_at_the_same_time() -> io::Result<()> {
        let ran = two_tests(chosen().await?).await;
        let error = ran.expect_err("two of them on one port");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(two_tests(0).await.is_ok());
        Ok(())
    }
}
