//! Import the trait that has the method.

use futures::{FutureExt, StreamExt, stream};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut stations = stream::iter(["north", "south"]); // StreamExt
    println!("{:?}", stations.next().await);

    let (mut sensor, mut server) = io::duplex(64);
    sensor.write_all(b"21").await?; // AsyncWriteExt
    drop(sensor);
    let mut text = String::new();
    server.read_to_string(&mut text).await?; // AsyncReadExt
    println!("{text}");

    let reading = async { 21 }.map(|degrees| degrees * 9 / 5 + 32);
    println!("{}", reading.await); // FutureExt
    Ok(())
}
// ANCHOR_END: main
