//! Add `Send` to the type of the box, or to the type parameter of a generic function.

use tokio::task::JoinError;

// ANCHOR: boxed
use std::pin::Pin;

use tokio::task::JoinHandle;

type Job = Pin<Box<dyn Future<Output = u32> + Send>>;

fn print(pages: u32) -> Job {
    Box::pin(async move { pages })
}

/// Accepts every future that can be spawned, in a box or without.
fn start<F>(job: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(job)
}
// ANCHOR_END: boxed

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let (boxed, plain) = (start(print(12)), start(async { 30 }));
    println!("{} and {} pages", boxed.await?, plain.await?);
    Ok(())
}
