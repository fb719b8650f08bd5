//! Wrong: nothing checks that an `Extension` has been added.

// ANCHOR: wrong
use std::sync::Arc;

use axum::{Extension, Router, routing::get};

type Prices = Arc<[u32]>;

async fn cheapest(Extension(prices): Extension<Prices>) -> String {
    format!("{:?} euros", prices.iter().min())
}

/// Wrong: a layer covers only the routes that were added before it.
fn routes(prices: Prices) -> Router {
    Router::new()
        .layer(Extension(prices))
        .route("/cheapest", get(cheapest))
}
// ANCHOR_END: wrong

use std::io;

use tokio::net::TcpListener;

/// Returns the status and the text of an answer.
async fn ask() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/cheapest", listener.local_addr()?);
    let served = axum::serve(listener, routes(Prices::from([5, 9])));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let asked = async {
        let answer = client.get(url).send().await?;
        let status = answer.status().as_u16();
        anyhow::Ok(format!("{status} {}", answer.text().await?))
    };
    tokio::select! {
        answer = asked => answer,
        _ = served.into_future() => Err(io::Error::other("stopped").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!("{}", ask().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_every_route_has_its_state() -> anyhow::Result<()> {
        // It hasn't.
        assert!(ask().await?.starts_with("500"));
        Ok(())
    }
}
