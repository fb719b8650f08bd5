//! Wrong: the type of the box doesn't say that the future is `Send`.

// ANCHOR: wrong
use std::pin::Pin;

type Job = Pin<Box<dyn Future<Output = u32>>>;

fn print(pages: u32) -> Job {
    Box::pin(async move { pages })
}

#[tokio::main]
async fn main() {
    tokio::spawn(print(12)).await.ok();
}
// ANCHOR_END: wrong
