//! HTTP/2: one body that nobody reads holds up the others on its
//! connection.

use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Duration, timeout},
};

const KIB: u32 = 1024;

async fn serve(stream: DuplexStream) -> hyper::Result<()> {
    let export = async || "x".repeat(100 * 1024);
    let shop = Router::new().route("/export", get(export));
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(
            TokioIo::new(stream),
            TowerToHyperService::new(shop),
        )
        .await
}

async fn ask(
    sender: &mut SendRequest<Body>,
) -> anyhow::Result<Response<Incoming>> {
    let request = Request::get("http://shop/export");
    let request = request.body(Body::empty())?;
    Ok(sender.send_request(request).await?)
}

// ANCHOR: bodies
async fn read(answer: Response<Incoming>) -> anyhow::Result<usize> {
    let body = Body::new(answer.into_body());
    let reading = to_bytes(body, 1024 * 1024);
    Ok(timeout(Duration::from_secs(60), reading).await??.len())
}

async fn bodies(sender: &mut SendRequest<Body>) -> anyhow::Result<()> {
    let unread = ask(sender).await?;
    let second = ask(sender).await?;
    match read(second).await {
        Ok(length) => println!("the second body: {length} bytes"),
        Err(error) => println!("the second body: {error}"),
    }
    drop(unread);
    let third = read(ask(sender).await?).await?;
    println!("after the first was dropped: {third} bytes");
    Ok(())
}
// ANCHOR_END: bodies

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let (ours, theirs) = duplex(64 * 1024);
    // ANCHOR: windows
    let (mut sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(64 * KIB)
        .initial_connection_window_size(64 * KIB)
        .handshake(TokioIo::new(ours))
        .await?;
    // ANCHOR_END: windows
    tokio::select! {
        biased;
        done = bodies(&mut sender) => done,
        ended = connection => Ok(ended?),
        ended = serve(theirs) => Ok(ended?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_read_holds_up_no_other() {
        let (ours, theirs) = duplex(64 * 1024);
        let (mut sender, connection) =
            Builder::new(TokioExecutor::new())
                .initial_connection_window_size(64 * KIB)
                .handshake(TokioIo::new(ours))
                .await
                .expect("in memory");
        let both = async {
            let first = ask(&mut sender).await.expect("answered");
            let second = ask(&mut sender).await.expect("answered");
            tokio::join!(read(second), read(first))
        };
        tokio::select! {
            (second, first) = both => {
                assert_eq!(first.expect("read"), 100 * 1024);
                assert_eq!(second.expect("read"), 100 * 1024);
            }
            _ = connection => panic!("it ended"),
            _ = serve(theirs) => panic!("it ended"),
        }
    }
}
