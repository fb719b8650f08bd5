//! Wrong: a client without timeouts, and a peer that never responds.

// ANCHOR: wrong
use reqwest::Client;

/// A client for the supplier. Wrong: by default, nothing limits how
/// long it waits for an answer.
fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().build()
}
// ANCHOR_END: wrong

use std::{io, time::Duration};

use tokio::{net::TcpListener, time::timeout};

/// Asks the supplier for a price.
async fn price(client: &Client, url: &str) -> reqwest::Result<String> {
    client.get(url).send().await?.text().await
}

/// Is there an answer, or an error, within a second?
async fn is_over() -> io::Result<bool> {
    // The system accepts the connection, but no program reads it.
    let peer = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", peer.local_addr()?);
    let client = client().map_err(io::Error::other)?;
    let asked = price(&client, &url);
    Ok(timeout(Duration::from_secs(1), asked).await.is_ok())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    match is_over().await? {
        true => println!("there is an answer, or an error"),
        false => println!("after a second, it is still waiting"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_of_a_peer_ends_the_call() -> io::Result<()> {
        // Not here: nothing ends it.
        assert!(!is_over().await?);
        Ok(())
    }
}
