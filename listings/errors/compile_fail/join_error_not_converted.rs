//! Wrong: no variant of the error enum is made from a `JoinError`.

#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("cannot write the order")]
    Write(#[from] std::io::Error),
}

async fn write(order: u32) -> std::io::Result<()> {
    println!("writing order {order}");
    Ok(())
}

async fn store(order: u32) -> Result<(), StoreError> {
    tokio::spawn(write(order)).await??;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    store(12).await
}
