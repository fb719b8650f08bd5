//! Drain a tonic server: end its streams, and set a deadline.

// ANCHOR: watch
use futures::stream::{self, BoxStream, StreamExt};
use std::iter::once_with;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_server::Health,
};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Health for Shop {
    type WatchStream =
        BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// Sends the status of the shop. At shutdown, it ends with an error.
    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Answer<Self::WatchStream> {
        let stop = self.stop.clone();
        let error = Err(Status::unavailable("the server restarts"));
        // No error if the changes have ended by themselves.
        let last = move || stop.is_cancelled().then_some(error);
        let events = self
            .changes()
            .map(Ok)
            .take_until(self.stop.clone().cancelled_owned())
            .chain(stream::iter(once_with(last).flatten()));
        Ok(Response::new(events.boxed()))
    }

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Answer<HealthCheckResponse> {
        Ok(Response::new(self.status().await))
    }
}
// ANCHOR_END: watch

// ANCHOR: serve
use tokio::{
    net::TcpListener,
    time::{Duration, sleep},
};
use tonic::transport::{self, Server, server::TcpIncoming};
use tonic_health::pb::health_server::HealthServer;

/// Serves until shutdown, then drains within the grace period. Returns
/// whether all connections have ended; any others are still tasks of
/// the runtime, and end with it. If dropped, it closes the listener,
/// and its connections end when their calls have ended.
async fn serve(
    listener: TcpListener,
    shop: Shop,
    grace: Duration,
) -> Result<bool, transport::Error> {
    let stop = shop.stop.clone();
    let served = Server::builder()
        .add_service(HealthServer::new(shop))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener),
            stop.clone().cancelled_owned(),
        );
    let out_of_time = async {
        stop.cancelled().await;
        sleep(grace).await;
    };
    tokio::select! {
        biased;
        served = served => served.map(|()| true),
        () = out_of_time => Ok(false),
    }
}
// ANCHOR_END: serve

use std::{error::Error, net::SocketAddr, sync::Arc};

use tokio::{sync::Notify, task::JoinHandle};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

type Failed = Box<dyn Error>;

/// A shop whose status takes as long as its bank.
#[derive(Clone, Default)]
struct Shop {
    stop: CancellationToken,
    begun: Arc<Notify>,
    bank: Arc<Notify>,
    /// Closed for good, so its status can't change anymore.
    is_closed: bool,
}

impl Shop {
    /// The current status, and no change for the rest of the night.
    fn changes(&self) -> BoxStream<'static, HealthCheckResponse> {
        let now = stream::iter([serving()]);
        match self.is_closed {
            true => now.boxed(),
            false => now.chain(stream::pending()).boxed(),
        }
    }

    async fn status(&self) -> HealthCheckResponse {
        self.begun.notify_one();
        self.bank.notified().await;
        serving()
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: 1 }
}

fn any() -> HealthCheckRequest {
    HealthCheckRequest::default()
}

type Drained = JoinHandle<Result<bool, transport::Error>>;

/// A server, a client, and where the server listens.
async fn start(
    shop: &Shop,
    grace: Duration,
) -> Result<(Drained, HealthClient<Channel>, SocketAddr), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, shop.clone(), grace));
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let channel = endpoint.connect().await?;
    Ok((server, HealthClient::new(channel), address))
}

const GRACE: Duration = Duration::from_secs(10);

/// What the clients get when the server stops.
struct Seen {
    stream: Status,
    in_flight: HealthCheckResponse,
    later: Code,
    drained: bool,
}

// ANCHOR: clients
/// Stops while one stream is open, and one call is in flight.
async fn stop_under_load() -> Result<Seen, Failed> {
    let shop = Shop::default();
    let (server, mut client, _) = start(&shop, GRACE).await?;
    let mut events = client.watch(any()).await?.into_inner();
    events.message().await?.ok_or("no event")?;
    let mut pays = client.clone();
    let pays = tokio::spawn(async move { pays.check(any()).await });
    shop.begun.notified().await;

    shop.stop.cancel();
    let stream = events.message().await.err().ok_or("no status")?;
    shop.bank.notify_one();
    let in_flight = pays.await??.into_inner();
    let drained = server.await??;
    let later = client.check(any()).await.err().ok_or("no status")?;
    Ok(Seen { stream, in_flight, later: later.code(), drained })
}
// ANCHOR_END: clients

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let seen = stop_under_load().await?;
    let (code, message) = (seen.stream.code(), seen.stream.message());
    println!("the open stream ends: {code:?}, {message:?}");
    println!("the call in flight: {:?}", seen.in_flight.status());
    let refused = seen.later != Code::Ok;
    println!("a later call fails: {refused}");
    println!("the server has drained: {}", seen.drained);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    type Outcome = Result<(), Failed>;

    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn stop_answers_what_is_in_flight() -> Outcome {
        let seen = stop_under_load().await?;
        assert_eq!(seen.stream.code(), Code::Unavailable);
        assert_eq!(seen.in_flight, serving());
        assert!(seen.drained);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_what_is_in_flight() -> Outcome {
        for _ in 0..5 {
            assert!(stop_under_load().await?.drained);
        }
        Ok(())
    }

    /// The bank never answers.
    #[tokio::test]
    async fn slow_bank_ends_with_the_grace_period() -> Outcome {
        let shop = Shop::default();
        let (server, mut client, _) = start(&shop, SHORT).await?;
        let call =
            tokio::spawn(async move { client.check(any()).await });
        shop.begun.notified().await;
        shop.stop.cancel();
        assert!(!server.await??);
        call.abort();
        Ok(())
    }

    /// A client that has connected, and says nothing.
    #[tokio::test]
    async fn silence_of_a_client_ends_with_the_grace_period() -> Outcome
    {
        let shop = Shop::default();
        let (server, _client, address) = start(&shop, SHORT).await?;
        let _mute = TcpStream::connect(address).await?;
        // It's accepted before the next connection.
        let url = format!("http://{address}");
        let channel = Endpoint::from_shared(url)?.connect().await?;
        let mut client = HealthClient::new(channel);
        let mut events = client.watch(any()).await?.into_inner();
        events.message().await?.ok_or("no event")?;
        shop.stop.cancel();
        assert!(!server.await??);
        Ok(())
    }

    /// A client whose connection breaks holds nothing up.
    #[tokio::test]
    async fn failure_of_a_client_does_not_block_the_stop() -> Outcome {
        let shop = Shop::default();
        let (server, mut client, _) = start(&shop, GRACE).await?;
        let events = client.watch(any()).await?.into_inner();
        let call =
            tokio::spawn(async move { client.check(any()).await });
        shop.begun.notified().await;
        call.abort();
        drop((call.await.is_err(), events));
        shop.stop.cancel();
        assert!(server.await??);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_client_and_stopped_before() -> Outcome {
        let shop = Shop::default();
        shop.stop.cancel();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        assert!(serve(listener, shop, GRACE).await?);
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_stream_that_ends_by_itself_ends_without_an_error()
    -> Outcome {
        let shop = Shop { is_closed: true, ..Shop::default() };
        let (server, mut client, _) = start(&shop, GRACE).await?;
        let mut events = client.watch(any()).await?.into_inner();
        assert_eq!(events.message().await?, Some(serving()));
        assert_eq!(events.message().await?, None);
        server.abort();
        Ok(())
    }

    #[tokio::test]
    async fn cancel_closes_the_listener_and_finishes_calls() -> Outcome
    {
        let shop = Shop::default();
        let (server, client, address) = start(&shop, GRACE).await?;
        let mut pays = client.clone();
        let pays = tokio::spawn(async move { pays.check(any()).await });
        shop.begun.notified().await;
        server.abort();
        assert!(server.await.is_err_and(|ended| ended.is_cancelled()));
        shop.bank.notify_one();
        assert_eq!(pays.await??.into_inner(), serving());
        let mut later = client;
        later.check(any()).await.expect_err("it's closed");
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Many streams: each gets its status.
    #[tokio::test]
    async fn overload_of_streams_all_end() -> Outcome {
        let shop = Shop::default();
        let (server, client, _) = start(&shop, GRACE).await?;
        let mut streams = Vec::new();
        for _ in 0..50 {
            let opened = client.clone().watch(any()).await?;
            streams.push(opened.into_inner());
        }
        shop.stop.cancel();
        for stream in &mut streams {
            let first = stream.message().await;
            let last = match first {
                Ok(Some(_)) => stream.message().await,
                other => other,
            };
            let last = last.expect_err("a status");
            assert_eq!(last.code(), Code::Unavailable);
        }
        drop((streams, client));
        assert!(server.await??);
        Ok(())
    }
}
