//! Wrong: `for_each` calls a closure that returns a future, and an async closure's future would borrow `total`.
use futures::stream::{self, StreamExt};

#[tokio::main]
async fn main() {
    let mut total = 0;
    let delays = stream::iter([7, 2]);
    delays.for_each(async |delay| total += delay).await;
    println!("in total: {total} minutes");
}
