//! Wrong: the traits that have the methods aren't imported.

use futures::stream;
use tokio::io;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut stations = stream::iter(["north", "south"]);
    println!("{:?}", stations.next().await);
    let (mut sensor, _server) = io::duplex(64);
    sensor.write_all(b"21").await?;
    Ok(())
}
