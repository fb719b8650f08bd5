//! Wrong: it calls `next` on a stream that isn't pinned.

use futures::{Stream, StreamExt, stream};

async fn sum_all(mut amounts: impl Stream<Item = u32>) -> u32 {
    let mut sum = 0;
    while let Some(amount) = amounts.next().await {
        sum += amount;
    }
    sum
}

#[tokio::main]
async fn main() {
    println!("{}", sum_all(stream::iter([100, 200])).await);
}
