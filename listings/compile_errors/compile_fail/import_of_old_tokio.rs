//! Wrong: these imports are from tutorials for Tokio 0.1 and 0.2.
use tokio::prelude::*;
use tokio::stream::StreamExt;
use tokio::time::delay_for;

#[tokio::main]
async fn main() {
    delay_for(std::time::Duration::from_millis(10)).await;
}
