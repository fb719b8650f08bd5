//! Looking up a host name needs a thread of the blocking pool.

use std::{io, sync::mpsc, time::Duration};

use axum::{Router, routing::get};
use reqwest::Client;
use tokio::{net::TcpListener, runtime::Builder, task::spawn_blocking};

// ANCHOR: dns
async fn ask(port: u16) -> anyhow::Result<()> {
    let client = Client::builder()
        .connect_timeout(Duration::from_millis(300))
        .timeout(Duration::from_secs(8))
        .no_proxy()
        .build()?;
    let (done, wait) = mpsc::channel::<()>();
    // This job uses the only thread of the blocking pool.
    let job = spawn_blocking(move || wait.recv());
    for host in ["127.0.0.1", "localhost"] {
        let answer = client.get(format!("http://{host}:{port}/price"));
        println!("{host:<10} {}", outcome(answer.send().await));
    }
    done.send(())?;
    job.await??;
    let answer = client.get(format!("http://localhost:{port}/price"));
    println!("{:<10} {}", "later", outcome(answer.send().await));
    Ok(())
}
// ANCHOR_END: dns

fn outcome(answer: reqwest::Result<reqwest::Response>) -> String {
    match answer {
        Ok(answer) => answer.status().to_string(),
        Err(error) => {
            format!("{:#}", anyhow::Error::from(error.without_url()))
        }
    }
}

async fn start() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let routes = Router::new().route("/price", get(async || "12"));
    // It ends with the runtime.
    tokio::spawn(axum::serve(listener, routes).into_future());
    Ok(port)
}

fn main() -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async { ask(start().await?).await })
}
