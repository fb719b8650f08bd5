//! The gRPC codes and messages that a tonic client sees when calls fail.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{Builder, Runtime},
    sync::Notify,
    time::timeout,
};
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

// ANCHOR: cases
async fn print_codes(nobody: Endpoint) -> Result<(), Failed> {
    let mut client = HealthClient::new(nobody.connect_lazy());
    show("nobody listens", client.check(any()).await);
    if let Err(error) = nobody.connect().await {
        println!("Endpoint::connect: {}", causes(&error));
    }

    let stuck = Process::start(serve_stuck)?;
    let hurried = stuck.endpoint()?.timeout(LIMIT);
    let mut client = HealthClient::new(hurried.connect().await?);
    show("Endpoint::timeout", client.check(any()).await);
    let mut client = HealthClient::new(stuck.connect().await?);
    let mut request = Request::new(any());
    request.set_timeout(LIMIT);
    show("Request::set_timeout", client.check(request).await);
    show("the handler panics", client.check(named("panic")).await);

    // The server's process is killed.
    let mut events = client.watch(any()).await?.into_inner();
    let mut busy = client.clone();
    let call =
        tokio::spawn(async move { busy.check(named("busy")).await });
    stuck.kill_when_busy().await?;
    show("killed: a call in flight", call.await?);
    show("killed: an open stream", events.message().await);
    show_next_call(client.check(any()).await);

    let proxy = Process::start(serve_proxy)?;
    let mut client = HealthClient::new(proxy.connect().await?);
    show("a proxy answers 503", client.check(any()).await);
    proxy.kill();
    Ok(())
}

fn show<T>(what: &str, answer: Result<T, Status>) {
    if let Err(status) = answer {
        let (code, message) = (status.code(), status.message());
        println!("{what}: {code:?}, {message:?}");
    }
}
// ANCHOR_END: cases

/// The whole chain of causes. Numbers of the operating system are left
/// out, because they differ between systems.
fn causes(mut error: &(dyn Error + 'static)) -> String {
    let mut chain = error.to_string();
    while let Some(cause) = error.source() {
        error = cause;
        chain += " > ";
        chain += &match error.downcast_ref::<std::io::Error>() {
            Some(error) if error.raw_os_error().is_some() => {
                error.kind().to_string()
            }
            _ => error.to_string(),
        };
    }
    chain
}

/// The first call after a crash: it depends on whether the client
/// knows already that the connection is lost.
fn show_next_call<T>(answer: Result<T, Status>) {
    let possible = [Code::Unavailable, Code::Cancelled, Code::Unknown];
    if answer.is_err_and(|status| possible.contains(&status.code())) {
        println!("the next call: one of {possible:?}");
    }
}

type Failed = Box<dyn Error>;

const PATIENCE: Duration = Duration::from_secs(10);

const LIMIT: Duration = Duration::from_millis(50);

/// Never answers, unless by a panic.
struct Stuck {
    busy: Arc<Notify>,
}

fn any() -> HealthCheckRequest {
    HealthCheckRequest::default()
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tonic::async_trait]
impl Health for Stuck {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "panic" => std::panic::resume_unwind(Box::new("a bug")),
            "busy" => self.busy.notify_one(),
            _ => {}
        }
        std::future::pending().await
    }

    type WatchStream =
        BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(stream::pending().boxed()))
    }
}

async fn serve_stuck(
    listener: TcpListener,
    busy: Arc<Notify>,
) -> Result<(), Failed> {
    let service = HealthServer::new(Stuck { busy });
    let server = Server::builder().add_service(service);
    Ok(server.serve_with_incoming(TcpIncoming::from(listener)).await?)
}

async fn serve_proxy(
    listener: TcpListener,
    _: Arc<Notify>,
) -> Result<(), Failed> {
    let routes = Router::new()
        .fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    Ok(axum::serve(listener, routes).await?)
}

/// A server on a runtime of its own, which can be killed like a
/// process.
struct Process {
    runtime: Runtime,
    address: SocketAddr,
    busy: Arc<Notify>,
}

impl Process {
    fn start<F>(
        serve: fn(TcpListener, Arc<Notify>) -> F,
    ) -> Result<Self, Failed>
    where
        F: Future<Output = Result<(), Failed>> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let busy = Arc::new(Notify::new());
        let seen = busy.clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _in_runtime = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(async move {
            if let Err(error) = serve(listener, seen).await {
                eprintln!("the server failed: {error}");
            }
        });
        Ok(Self { runtime, address, busy })
    }

    fn endpoint(&self) -> Result<Endpoint, Failed> {
        let url = format!("http://{}", self.address);
        Ok(Endpoint::from_shared(url)?)
    }

    async fn connect(&self) -> Result<Channel, Failed> {
        Ok(self.endpoint()?.connect().await?)
    }

    /// Waits until the call "busy" has reached the handler.
    async fn kill_when_busy(self) -> Result<(), Failed> {
        timeout(PATIENCE, self.busy.notified()).await?;
        self.kill();
        Ok(())
    }

    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    // A port that's in use, but on which nobody listens.
    let reserved = TcpSocket::new_v4()?;
    reserved.bind("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", reserved.local_addr()?);
    print_codes(Endpoint::from_shared(url)?).await
}
