//! Wrong: a closure that runs on another thread borrows a local variable.

use tokio::task::{JoinError, spawn_blocking};

// ANCHOR: wrong
#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let shelf = vec![120, 88, 310];
    let sum = spawn_blocking(|| shelf.iter().sum::<u32>()).await?;
    println!("{sum} pages");
    Ok(())
}
// ANCHOR_END: wrong
