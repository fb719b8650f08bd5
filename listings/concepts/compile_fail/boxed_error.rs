//! Wrong: an error that may not be sent, as a task's result.

use std::error::Error;

async fn import() -> Result<(), Box<dyn Error>> {
    "12,50".parse::<u32>()?;
    Ok(())
}

#[tokio::main]
async fn main() {
    tokio::spawn(import()).await.ok();
}
