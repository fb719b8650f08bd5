//! Wrong: it asks for the next item of a stream that may be moved.

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
