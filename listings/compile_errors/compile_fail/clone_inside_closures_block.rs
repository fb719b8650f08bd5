//! Wrong: the first block takes the `Arc` out of the closure.

use std::sync::Arc;

use tokio::task::JoinSet;

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let zones = Arc::new(vec!["north", "east", "south"]);
    let tours: JoinSet<&str> = (0..3)
        .map(|courier| async move {
            let zones = Arc::clone(&zones);
            zones[courier]
        })
        .collect();
    println!("{:?}", tours.join_all().await);
}
// ANCHOR_END: wrong
