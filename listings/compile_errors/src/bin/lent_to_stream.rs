//! Move a reference into each future of a stream, and the list itself into a blocking closure.

use futures::{StreamExt, stream};
use tokio::task::{JoinError, spawn_blocking};

// ANCHOR: main
async fn pages(shelf: &[u32], book: usize) -> u32 {
    shelf[book]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let shelf = vec![120, 88, 310];

    let lent = &shelf;
    let counts: Vec<u32> = stream::iter(0..3)
        .map(|book| async move { pages(lent, book).await })
        .buffered(2)
        .collect()
        .await;
    println!("{counts:?}");

    let sum = spawn_blocking(move || shelf.iter().sum::<u32>()).await?;
    println!("{sum} pages");
    Ok(())
}
// ANCHOR_END: main
