//! Enable the features that the program's lines need: here "net", "sync", "time", "macros", and "rt-multi-thread".
// Cargo.toml: tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "sync", "time"] }

use std::io;
use std::time::Duration;
use tokio::net::TcpListener; // net
use tokio::sync::oneshot; // sync
use tokio::time::sleep; // time

#[tokio::main] // macros, rt-multi-thread
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("serving stock levels");
    let (stop, stopped) = oneshot::channel();
    // rt, which rt-multi-thread includes
    let operator = tokio::spawn(async move {
        sleep(Duration::from_millis(10)).await;
        let _ = stop.send("for the night");
    });
    // macros
    tokio::select! {
        connection = listener.accept() => println!("{connection:?}"),
        reason = stopped => println!("stopped {}", reason.map_err(io::Error::other)?),
    }
    operator.await.map_err(io::Error::other)
}
