//! Wrong: a client without limits, and a peer that says nothing.

// ANCHOR: wrong
use reqwest::Client;

/// Asks the supplier for a price.
async fn price(url: &str) -> reqwest::Result<String> {
    // Wrong: none of the limits is set by default.
    let client = Client::builder().no_proxy().build()?;
    client.get(url).send().await?.text().await
}
// ANCHOR_END: wrong

use std::{io, time::Duration};

use tokio::{net::TcpListener, time::timeout};

/// Accepts each client, and says nothing.
async fn silent() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

/// Is there an answer, or an error, within a quarter of a second?
async fn is_over() -> io::Result<bool> {
    // The system accepts for it: it is a peer that hangs.
    let peer = silent().await?;
    let url = format!("http://{}", peer.local_addr()?);
    let limit = Duration::from_millis(250);
    let asked = tokio::spawn(async move { price(&url).await });
    Ok(timeout(limit, asked).await.is_ok())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    match is_over().await? {
        true => println!("it has ended"),
        false => println!("it waits, and would wait forever"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits() -> io::Result<()> {
        assert!(!is_over().await?);
        Ok(())
    }
}
