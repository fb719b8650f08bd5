//! The closure keeps its `Arc`, and moves a new clone into each block.

use std::sync::Arc;

use tokio::task::JoinSet;

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let zones = Arc::new(vec!["north", "east", "south"]);
    let tours: JoinSet<&str> = (0..3)
        .map(|courier| {
            let zones = Arc::clone(&zones);
            async move { zones[courier] }
        })
        .collect();
    println!("{:?}", tours.join_all().await);
}
// ANCHOR_END: main
