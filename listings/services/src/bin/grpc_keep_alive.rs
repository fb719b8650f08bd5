//! HTTP/2 keep-alive detects that a gRPC server's network is lost, and
//! the next call opens another connection.

use std::{error::Error, io};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, copy_bidirectional, duplex},
    sync::{mpsc, watch},
    time::{Duration, Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::{
    HealthCheckRequest, health_client::HealthClient,
};
use tower::service_fn;

type Failed = Box<dyn Error + Send + Sync>;

// ANCHOR: keep_alive
fn keep_alive(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
}
// ANCHOR_END: keep_alive

// ANCHOR: calls
async fn lose_the_network(endpoint: Endpoint) -> Result<(), Failed> {
    let network = Network::start()?;
    let mut client =
        HealthClient::new(network.connect(endpoint).await?);
    client.check(HealthCheckRequest::default()).await?;

    network.pull_the_cable();
    let start = Instant::now();
    let call = client.check(HealthCheckRequest::default());
    match timeout(HOUR, call).await {
        Ok(Ok(_)) => println!("lost network: an answer"),
        Ok(Err(status)) => println!(
            "lost network: {:?} after {} s: {}",
            status.code(),
            start.elapsed().as_secs(),
            causes(&status),
        ),
        Err(_elapsed) => println!("lost network: no answer in an hour"),
    }

    // From now on, new connections work.
    let call = client.check(HealthCheckRequest::default());
    match timeout(HOUR, call).await {
        Ok(Ok(_)) => println!("the network is back: an answer"),
        Ok(Err(status)) => println!("the network is back: {status}"),
        Err(_elapsed) => println!("the network is back: no answer"),
    }
    Ok(())
}
// ANCHOR_END: calls

const HOUR: Duration = Duration::from_secs(3600);

fn causes(mut error: &(dyn Error + 'static)) -> String {
    let mut chain = Vec::new();
    while let Some(cause) = error.source() {
        chain.push(cause.to_string());
        error = cause;
    }
    chain.join(" > ")
}

struct Network {
    /// How often the cable was pulled. Connections of before stay open
    /// and silent, and new ones work.
    pulled: watch::Sender<u32>,
    server: mpsc::Sender<io::Result<DuplexStream>>,
}

impl Network {
    fn start() -> Result<Self, Failed> {
        let (pulled, _) = watch::channel(0);
        let (server, connections) = mpsc::channel(1);
        let (_reporter, health) =
            tonic_health::server::health_reporter();
        let incoming = ReceiverStream::new(connections);
        tokio::spawn(async move {
            let server = Server::builder().add_service(health);
            if let Err(error) =
                server.serve_with_incoming(incoming).await
            {
                println!("the server failed: {error}");
            }
        });
        Ok(Self { pulled, server })
    }

    async fn connect(
        &self,
        endpoint: Endpoint,
    ) -> Result<Channel, tonic::transport::Error> {
        let (pulled, server) =
            (self.pulled.clone(), self.server.clone());
        let connector = service_fn(move |_: Uri| {
            let (pulled, server) = (pulled.subscribe(), server.clone());
            async move { dial(pulled, server).await.map(TokioIo::new) }
        });
        endpoint.connect_with_connector(connector).await
    }

    fn pull_the_cable(&self) {
        self.pulled.send_modify(|times| *times += 1);
    }
}

async fn dial(
    mut pulled: watch::Receiver<u32>,
    server: mpsc::Sender<io::Result<DuplexStream>>,
) -> io::Result<DuplexStream> {
    let (client, mut near) = duplex(64 * 1024);
    let (mut far, accepted) = duplex(64 * 1024);
    server
        .send(Ok(accepted))
        .await
        .map_err(|_closed| io::ErrorKind::ConnectionRefused)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = pulled.changed() => {
                // Both ends stay open, and nothing is copied.
                std::future::pending::<()>().await;
            }
        }
    });
    Ok(client)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Failed> {
    let endpoint = Endpoint::from_static("http://health");
    println!("By default");
    lose_the_network(endpoint.clone()).await?;
    println!("With keep-alive");
    lose_the_network(keep_alive(endpoint)).await
}
