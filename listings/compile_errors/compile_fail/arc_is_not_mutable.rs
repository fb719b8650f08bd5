//! Wrong: the list is changed through an `Arc`, which gives only shared access.

use std::sync::Arc;

use tokio::task::JoinError;

// ANCHOR: wrong
#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let titles = Arc::new(Vec::new());
    let shared = Arc::clone(&titles);
    let task = tokio::spawn(async move {
        shared.push("Emma");
    });
    task.await?;
    println!("{titles:?}");
    Ok(())
}
// ANCHOR_END: wrong
