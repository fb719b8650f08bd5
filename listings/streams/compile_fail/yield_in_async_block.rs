//! Wrong: it yields in an inner `async` block of the stream.

use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::time::{Duration, timeout};

fn ticks() -> impl Stream<Item = u32> {
    stream! {
        yield 0;
        let within = Duration::from_secs(1);
        let loud = async {
            yield 1;
        };
        timeout(within, loud).await.ok();
    }
}

#[tokio::main]
async fn main() {
    println!("{}", ticks().count().await);
}
