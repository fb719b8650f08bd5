//! Wrong: the listener is bound in the server's task, and its error is lost.

use std::{io, net::SocketAddr};

use axum::{Router, routing::get};
use tokio::{net::TcpListener, runtime::Handle, task::JoinHandle};

// ANCHOR: wrong
/// Wrong: it returns before the listener is bound, and the handle with
/// the error is dropped by the caller.
fn start(address: SocketAddr) -> JoinHandle<io::Result<()>> {
    tokio::spawn(async move {
        let listener = TcpListener::bind(address).await?;
        let shop =
            Router::new().route("/price", get(async || "12 euros"));
        axum::serve(listener, shop).await
    })
}

async fn started(address: SocketAddr) -> &'static str {
    drop(start(address));
    "listening"
}
// ANCHOR_END: wrong

/// Starts the service at the address of a listener.
async fn at(first: &TcpListener) -> io::Result<&'static str> {
    let answer = started(first.local_addr()?).await;
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let first = TcpListener::bind("127.0.0.1:0").await?;
    println!("the second start: {}", at(&first).await?);
    println!("the server's task has ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_to_bind_is_an_error_of_the_start() {
        let first =
            TcpListener::bind("127.0.0.1:0").await.expect("one");
        // It isn't.
        assert_eq!(at(&first).await.expect("an address"), "listening");
        let address = first.local_addr().expect("its address");
        let ended = start(address).await.expect("no panic");
        let error = ended.expect_err("only in the dropped handle");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
