//! Which servers close a client that's silent for an hour?

// ANCHOR: servers
use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{io::DuplexStream, time::Duration};

const HEAD: Duration = Duration::from_secs(10);

async fn by_axum(client: DuplexStream, routes: Router) -> Served {
    Ok(axum::serve(OneClient(Some(client)), routes).await?)
}

/// Chooses HTTP/1 or HTTP/2 by the client's first bytes.
async fn by_auto(client: DuplexStream, routes: Router) -> Served {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let service = TowerToHyperService::new(routes);
    let client = TokioIo::new(client);
    server.serve_connection(client, service).await
}

async fn by_http1(client: DuplexStream, routes: Router) -> Served {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let service = TowerToHyperService::new(routes);
    let client = TokioIo::new(client);
    Ok(server.serve_connection(client, service).await?)
}
// ANCHOR_END: servers

use std::{error::Error, future::pending, io};

use axum::serve::Listener;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

type Served = Result<(), Box<dyn Error + Send + Sync>>;

/// Replaces a listener: accepts one client, and no other.
struct OneClient(Option<DuplexStream>);

impl Listener for OneClient {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(client) => (client, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Sends a text, and reads for an hour, or until the server closes.
async fn after_an_hour<S>(
    serve: impl FnOnce(DuplexStream, Router) -> S,
    text: &str,
) -> &'static str
where
    S: Future<Output = Served> + Send + 'static,
{
    let (mut client, server) = tokio::io::duplex(1024);
    let routes =
        Router::new().route("/price", get(async || "12 euros"));
    let server = tokio::spawn(serve(server, routes));
    let mut answer = Vec::new();
    let talked = timeout(HOUR, async {
        client.write_all(text.as_bytes()).await?;
        client.read_to_end(&mut answer).await
    });
    let state = if talked.await.is_ok() { "closed" } else { "open" };
    server.abort();
    state
}

const CLIENTS: [(&str, &str); 3] = [
    ("silent", ""),
    ("half a head", "GET /price HTT"),
    (
        "idle after an answer",
        "GET /price HTTP/1.1\r\nhost: shop\r\n\r\n",
    ),
];

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("after an hour         axum::serve  auto    http1");
    for (client, text) in CLIENTS {
        println!(
            "{client:<20}  {:<11}  {:<6}  {}",
            after_an_hour(by_axum, text).await,
            after_an_hour(by_auto, text).await,
            after_an_hour(by_http1, text).await
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_servers_notice_silence() {
        for (client, text) in CLIENTS {
            let auto =
                if client == "silent" { "open" } else { "closed" };
            assert_eq!(after_an_hour(by_axum, text).await, "open");
            assert_eq!(after_an_hour(by_auto, text).await, auto);
            assert_eq!(after_an_hour(by_http1, text).await, "closed");
        }
    }
}
