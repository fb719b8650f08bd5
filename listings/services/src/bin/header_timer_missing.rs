//! Wrong: a head timeout without a timer panics at the first connection.

// ANCHOR: wrong
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpStream, time::Duration};

async fn connection(
    client: TcpStream,
    routes: Router,
) -> hyper::Result<()> {
    http1::Builder::new()
        // Wrong: there's no timer.
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(
            TokioIo::new(client),
            TowerToHyperService::new(routes),
        )
        .await
}
// ANCHOR_END: wrong

use std::{any::Any, io};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Returns what the client got, and how the connection's task panicked.
async fn ask() -> io::Result<(String, Option<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _address) = listener.accept().await?;
    let routes =
        Router::new().route("/price", get(async || "12 euros"));
    let ended = tokio::spawn(connection(server, routes)).await;
    let request =
        b"GET /price HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    let talked = async {
        client.write_all(request).await?;
        client.read_to_string(&mut answer).await
    };
    if let Err(error) = talked.await {
        answer = error.kind().to_string();
    }
    let panic = ended.err().and_then(|error| text(error.into_panic()));
    Ok((answer, panic))
}

fn text(payload: Box<dyn Any + Send>) -> Option<String> {
    payload.downcast::<String>().ok().map(|message| *message)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (_, panic) = ask().await?;
    println!("the connection's task panicked: {panic:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_the_first_request_is_answered() -> io::Result<()> {
        let (answer, panic) = ask().await?;
        // It isn't.
        assert!(!answer.contains("12 euros") && panic.is_some());
        Ok(())
    }
}
