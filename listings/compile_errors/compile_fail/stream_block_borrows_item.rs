//! Wrong: the block borrows the closure's argument, which is dropped when the closure returns.

use futures::{StreamExt, stream};

async fn pages(shelf: &[u32], book: usize) -> u32 {
    shelf[book]
}

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let shelf = vec![120, 88, 310];
    let counts: Vec<u32> = stream::iter(0..3)
        .map(|book| async { pages(&shelf, book).await })
        .buffered(2)
        .collect()
        .await;
    println!("{counts:?}");
}
// ANCHOR_END: wrong
