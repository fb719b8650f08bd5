//! Wrong: a timeout without a timer panics on the first connection.

// ANCHOR: wrong
use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, time::Duration};

const LIMIT: Duration = Duration::from_secs(10);

async fn by_http1(
    client: TcpStream,
    routes: Router,
) -> hyper::Result<()> {
    let service = TowerToHyperService::new(routes);
    let mut server = http1::Builder::new();
    server.header_read_timeout(LIMIT); // Wrong: there's no timer.
    server.serve_connection(TokioIo::new(client), service).await
}

async fn by_http2(
    client: TcpStream,
    routes: Router,
) -> hyper::Result<()> {
    let service = TowerToHyperService::new(routes);
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.keep_alive_interval(LIMIT); // Wrong: there's no timer.
    server.serve_connection(TokioIo::new(client), service).await
}
// ANCHOR_END: wrong

use std::{any::Any, io};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const HTTP1: &[u8] =
    b"GET /price HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

/// How a client of HTTP/2 begins: with a text, and empty settings.
const HTTP2: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Returns what the client got, and how the connection's task panicked.
async fn ask<S>(
    serve: impl FnOnce(TcpStream, Router) -> S,
    request: &[u8],
) -> io::Result<(String, Option<String>)>
where
    S: Future<Output = hyper::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _address) = listener.accept().await?;
    let routes =
        Router::new().route("/price", get(async || "12 euros"));
    let server = tokio::spawn(serve(server, routes));
    let mut answer = Vec::new();
    let talked = async {
        client.write_all(request).await?;
        client.read_to_end(&mut answer).await
    };
    // An error is the panic's consequence, and the answer stays empty.
    let _ = talked.await;
    let panic = server.await.err();
    let panic = panic.and_then(|error| text(error.into_panic()));
    Ok((String::from_utf8_lossy(&answer).into_owned(), panic))
}

fn text(payload: Box<dyn Any + Send>) -> Option<String> {
    if let Some(message) = payload.downcast_ref::<&str>() {
        return Some((*message).to_owned());
    }
    payload.downcast::<String>().ok().map(|message| *message)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for (version, (_, panic)) in [
        ("HTTP/1", ask(by_http1, HTTP1).await?),
        ("HTTP/2", ask(by_http2, HTTP2).await?),
    ] {
        let panic = panic.as_deref().unwrap_or("no panic");
        println!("{version}: {panic}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_the_first_request_is_answered() -> io::Result<()> {
        let (answer, panic) = ask(by_http1, HTTP1).await?;
        // It isn't.
        assert!(!answer.contains("12 euros") && panic.is_some());
        Ok(())
    }
}
