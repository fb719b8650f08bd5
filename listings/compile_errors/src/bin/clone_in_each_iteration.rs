//! Each iteration clones the `Arc` before the block, so each task has its own.

use std::sync::Arc;

use tokio::task::JoinSet;

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let depot = Arc::new(String::from("Harbor"));
    let mut tasks = JoinSet::new();
    for parcel in 1..=2 {
        let depot = Arc::clone(&depot);
        tasks.spawn(async move {
            println!("parcel {parcel} leaves {depot}");
        });
    }
    tasks.join_all().await;
    println!("{depot} is empty");
}
// ANCHOR_END: main
