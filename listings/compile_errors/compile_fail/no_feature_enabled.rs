//! Wrong: the line `tokio = "1"` enables no feature, so most of Tokio isn't there.
// Cargo.toml: tokio = "1"

use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("serving stock levels");
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(listener);
    Ok(())
}
