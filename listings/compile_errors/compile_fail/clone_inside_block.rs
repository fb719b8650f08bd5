//! Wrong: the first block has already taken the `Arc` that it clones.

use std::sync::Arc;

use tokio::task::JoinSet;

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let depot = Arc::new(String::from("Harbor"));
    let mut tasks = JoinSet::new();
    for parcel in 1..=2 {
        tasks.spawn(async move {
            let depot = Arc::clone(&depot);
            println!("parcel {parcel} leaves {depot}");
        });
    }
    tasks.join_all().await;
}
// ANCHOR_END: wrong
