//! Put a mutex into the `Arc`, and lock it to change the value.

use std::sync::{Arc, Mutex};

use tokio::task::JoinError;

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let titles = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&titles);
    let task = tokio::spawn(async move {
        shared.lock().expect("it isn't poisoned").push("Emma");
    });
    task.await?;
    println!("{:?}", titles.lock().expect("it isn't poisoned"));
    Ok(())
}
// ANCHOR_END: main
