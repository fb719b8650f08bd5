//! A task waits for the one that it spawned, and gives way.

use tokio::task::JoinError;

// ANCHOR: price
/// Waits at an `.await`, and so its worker is free for the task.
async fn price() -> Result<u32, JoinError> {
    tokio::spawn(async { 1250 }).await
}
// ANCHOR_END: price

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), JoinError> {
    let price = tokio::spawn(async { price().await }).await??;
    println!("1 worker: {price}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn it_answers_on_many_threads() {
        let called = tokio::spawn(async { price().await });
        assert_eq!(called.await.expect("no panic").ok(), Some(1250));
    }

    #[tokio::test]
    async fn it_answers_on_one_thread() {
        assert_eq!(price().await.ok(), Some(1250));
    }
}
