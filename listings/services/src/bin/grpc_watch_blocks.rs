//! Wrong: an open gRPC stream blocks tonic's shutdown.

// ANCHOR: wrong
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{self, Server, server::TcpIncoming};
use tonic_health::server::health_reporter;

/// Serves until shutdown.
async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), transport::Error> {
    let (_reporter, health) = health_reporter();
    // Wrong: this waits for all streams, and nothing ends them.
    Server::builder()
        .add_service(health)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener),
            stop.cancelled_owned(),
        )
        .await
}
// ANCHOR_END: wrong

use std::{error::Error, time::Duration};

use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_client::HealthClient,
};

/// Stops the server while a client watches. Returns whether the server
/// has ended.
async fn stop_while_one_watches() -> Result<bool, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let mut server = tokio::spawn(serve(listener, stop.clone()));
    let channel = Endpoint::from_shared(url)?.connect().await?;
    let mut client = HealthClient::new(channel);
    let request = HealthCheckRequest::default();
    let mut events = client.watch(request).await?.into_inner();
    events.message().await?.ok_or("no event")?;
    stop.cancel();
    let ended = timeout(PATIENCE, &mut server).await.is_ok();
    server.abort();
    Ok(ended)
}

const PATIENCE: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match stop_while_one_watches().await? {
        true => println!("the server has ended"),
        false => println!("the server still waits for its client"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_answers_what_is_in_flight()
    -> Result<(), Box<dyn Error>> {
        // It waits for the stream.
        assert!(!stop_while_one_watches().await?);
        Ok(())
    }
}
