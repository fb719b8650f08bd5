//! Wrong: it imports two traits with the same methods.

use futures::StreamExt;
use tokio::time::Duration;
use tokio_stream::StreamExt as _;

#[tokio::main]
async fn main() {
    let orders = tokio_stream::iter([1, 2, 3]);
    let orders = orders.map(|order| order * 10);
    let orders = orders.throttle(Duration::from_millis(1));
    println!("{}", orders.count().await);
}
