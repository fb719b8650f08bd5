//! Wrong: a panic in a handler breaks the client's connection.

// ANCHOR: wrong
use axum::{Router, extract::Path, routing::get};

/// Wrong: this panics if there is no such size.
async fn price(Path(size): Path<usize>) -> String {
    let prices = [5, 9];
    format!("{} euros", prices[size])
}

fn routes() -> Router {
    Router::new().route("/prices/{size}", get(price))
}
// ANCHOR_END: wrong

use std::{error::Error, io};

use tokio::{net::TcpListener, task::AbortHandle};

async fn start() -> io::Result<(String, AbortHandle)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/prices/2", listener.local_addr()?);
    let served = axum::serve(listener, routes()).into_future();
    Ok((url, tokio::spawn(served).abort_handle()))
}

// ANCHOR: client
/// Returns what the client sees: the response, or the error's chain.
async fn ask(url: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().no_proxy().build();
    let asked = async { client?.get(url).send().await?.text().await };
    asked.await.map_err(|error| {
        let error = error.without_url();
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            chain += &format!("\n  caused by: {error}");
            cause = error.source();
        }
        chain
    })
}
// ANCHOR_END: client

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (url, server) = start().await?;
    match ask(&url).await {
        Ok(answer) => println!("{answer}"),
        Err(chain) => println!("{chain}"),
    }
    server.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_in_a_handler_is_answered() -> io::Result<()> {
        let (url, server) = start().await?;
        // It isn't.
        let chain = ask(&url).await.expect_err("no answer");
        assert!(chain.contains("connection closed before message"));
        server.abort();
        Ok(())
    }
}
