//! A gRPC message that's larger than tonic's limit, and a higher limit.

use std::error::Error;

use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

type Failed = Box<dyn Error + Send + Sync>;

// ANCHOR: limits
const MIB: usize = 1024 * 1024;

async fn send_five_mib() -> Result<(), Failed> {
    let by_default = HealthServer::new(Catalog);
    let raised =
        HealthServer::new(Catalog).max_decoding_message_size(8 * MIB);
    for service in [by_default, raised] {
        let url = start(service).await?;
        let channel = Endpoint::from_shared(url)?.connect().await?;
        let mut client = HealthClient::new(channel)
            .max_decoding_message_size(8 * MIB);
        let large = HealthCheckRequest { service: "x".repeat(5 * MIB) };
        match client.check(large).await {
            Ok(_) => println!("accepted"),
            Err(status) => {
                println!("{:?}: {}", status.code(), status.message())
            }
        }
    }
    Ok(())
}
// ANCHOR_END: limits

#[derive(Clone)]
struct Catalog;

#[tonic::async_trait]
impl Health for Catalog {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse::default()))
    }

    type WatchStream =
        tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}

async fn start(
    service: HealthServer<Catalog>,
) -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        let server = Server::builder().add_service(service);
        let incoming = TcpIncoming::from(listener);
        if let Err(error) = server.serve_with_incoming(incoming).await {
            println!("the server failed: {error}");
        }
    });
    Ok(url)
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    send_five_mib().await
}
