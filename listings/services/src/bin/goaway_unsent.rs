//! After GOAWAY, an HTTP/2 client gets new requests back unsent.

use std::{convert::Infallible, pin::pin};

use http::{Request, Response};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{DuplexStream, duplex},
    task::JoinSet,
    time::{Duration, sleep},
};

type Sender = client::conn::http2::SendRequest<String>;

async fn ask(mut sender: Sender) -> anyhow::Result<String> {
    let request = Request::get("http://supplier/price");
    let sent = sender.try_send_request(request.body(String::new())?);
    let Err(mut error) = sent.await else {
        return Ok("answered".to_owned());
    };
    let sent = match error.take_message() {
        Some(_request) => "not sent",
        None => "may have been executed",
    };
    let cause = anyhow::Error::from(error.into_error());
    Ok(format!("{cause:#}: {sent}"))
}
// ANCHOR: serve
/// Answers after a second. After half a second, it sends GOAWAY, as a
/// server that is shutting down does.
async fn serve(stream: DuplexStream) -> hyper::Result<()> {
    let price = service_fn(async |_: Request<Incoming>| {
        sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(Response::new("12".to_owned()))
    });
    let server =
        server::conn::http2::Builder::new(TokioExecutor::new());
    let served = server.serve_connection(TokioIo::new(stream), price);
    let mut served = pin!(served);
    tokio::select! {
        biased;
        served = &mut served => return served,
        () = sleep(Duration::from_millis(500)) => {}
    }
    served.as_mut().graceful_shutdown();
    served.await
}
// ANCHOR_END: serve

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let (near, far) = duplex(1024);
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(far));
    let (sender, connection) = client::conn::http2::handshake(
        TokioExecutor::new(),
        TokioIo::new(near),
    )
    .await?;
    tasks.spawn(connection);
    let late = async {
        sleep(Duration::from_millis(600)).await;
        ask(sender.clone()).await
    };
    let (first, late) = tokio::join!(ask(sender.clone()), late);
    println!("before GOAWAY: {}", first?);
    println!("after GOAWAY:  {}", late?);
    Ok(())
}
