//! Bind the listener before the server's task is spawned, so that an error aborts startup.

// ANCHOR: start
use std::net::SocketAddr;

use anyhow::Context;
use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tokio_util::task::JoinMap;

type Parts = JoinMap<&'static str, std::io::Result<()>>;

/// Starts the server as a part of the service. When it returns, clients
/// can connect: until the server accepts them, they wait in the queue of
/// the listener.
async fn start(
    parts: &mut Parts,
    address: SocketAddr,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("can't listen on {address}"))?;
    let bound = listener.local_addr()?;
    let shop = Router::new().route("/price", get(async || "12 euros"));
    parts.spawn("server", axum::serve(listener, shop).into_future());
    Ok(bound)
}
// ANCHOR_END: start

/// Starts the service twice at the same address.
async fn twice() -> anyhow::Result<anyhow::Error> {
    let (mut first, mut second) = (Parts::new(), Parts::new());
    let address = start(&mut first, ([127, 0, 0, 1], 0).into()).await?;
    match start(&mut second, address).await {
        Ok(_) => anyhow::bail!("two servers at one address"),
        Err(error) => Ok(error),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let error = twice().await?;
    let kind = error.downcast_ref().map(std::io::Error::kind);
    println!("the second start: {kind:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn failure_to_bind_is_an_error_of_the_start() {
        let error = twice().await.expect("an error");
        let inner: Option<&std::io::Error> = error.downcast_ref();
        assert_eq!(
            inner.expect("of bind").kind(),
            ErrorKind::AddrInUse
        );
        let text = error.to_string();
        assert!(
            text.starts_with("can't listen on 127.0.0.1:"),
            "{text}"
        );
    }

    /// The client connects before the server's task runs.
    #[tokio::test]
    async fn silence_until_the_task_runs_refuses_no_client() {
        let mut parts = Parts::new();
        let any = ([127, 0, 0, 1], 0).into();
        let address =
            start(&mut parts, any).await.expect("a free port");
        let client = std::net::TcpStream::connect(address);
        assert!(client.is_ok());
    }

    #[tokio::test]
    async fn cancel_and_owner_gone_close_the_listener() {
        hazards::at_every_poll(async |cancel| {
            let mut parts = Parts::new();
            let any = ([127, 0, 0, 1], 0).into();
            let started = cancel.run(start(&mut parts, any)).await;
            drop(parts);
            hazards::no_task_left().await;
            if let Some(Ok(address)) = started {
                assert!(std::net::TcpStream::connect(address).is_err());
            }
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_stops_the_server() {
        let mut parts = Parts::new();
        let any = ([127, 0, 0, 1], 0).into();
        let address =
            start(&mut parts, any).await.expect("a free port");
        drop(parts);
        hazards::no_task_left().await;
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
