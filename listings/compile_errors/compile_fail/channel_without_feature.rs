//! Wrong: the feature "sync" isn't enabled, and the futures crate isn't in Cargo.toml.
// Cargo.toml: tokio = { version = "1", features = ["macros", "rt"] }

use futures::future::join_all;
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (sender, mut levels) = mpsc::channel(8);
    join_all([1, 2].map(|shelf| sender.send(shelf))).await;
    println!("{:?}", levels.recv().await);
}
