//! Wrong: `connect` spawns a block whose callee calls `connect`.

// ANCHOR: wrong
use tokio::task::JoinError;

async fn connect(attempt: u32) -> Result<(), JoinError> {
    println!("attempt {attempt}");
    tokio::spawn(async move { receive(attempt).await }).await?
}

async fn receive(attempt: u32) -> Result<(), JoinError> {
    if attempt < 3 {
        connect(attempt + 1).await?;
    }
    Ok(())
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    connect(1).await
}
