//! One function of the cycle declares that its future is `Send`.

// ANCHOR: connect
use std::future::Future;
use tokio::task::JoinError;

fn connect(
    attempt: u32,
) -> impl Future<Output = Result<(), JoinError>> + Send {
    async move {
        println!("attempt {attempt}");
        tokio::spawn(async move { receive(attempt).await }).await?
    }
}

async fn receive(attempt: u32) -> Result<(), JoinError> {
    if attempt < 3 {
        connect(attempt + 1).await?;
    }
    Ok(())
}
// ANCHOR_END: connect

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    connect(1).await
}
