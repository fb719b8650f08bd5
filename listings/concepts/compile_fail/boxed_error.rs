//! Wrong: a task's result contains an error that isn't `Send`.

use std::error::Error;

async fn import() -> Result<(), Box<dyn Error>> {
    "12,50".parse::<u32>()?;
    Ok(())
}

#[tokio::main]
async fn main() {
    tokio::spawn(import()).await.ok();
}
