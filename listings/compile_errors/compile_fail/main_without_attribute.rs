//! Wrong: nothing starts a runtime that could run the future of `main`.
async fn delay_of(train: u32) -> u32 {
    tokio::task::yield_now().await;
    train % 10
}

async fn main() {
    println!("train 17 is {} minutes late", delay_of(17).await);
}
