//! Wrong: the guard in a `while let` is kept until the end of the loop's body.

use std::sync::{Arc, Mutex};

async fn print(job: String) {
    println!("printing {job}");
}

// ANCHOR: wrong
async fn print_all(queue: Arc<Mutex<Vec<String>>>) {
    while let Some(job) = queue.lock().expect("no panic").pop() {
        print(job).await;
    }
}

#[tokio::main]
async fn main() {
    let queue = Arc::new(Mutex::new(vec!["poster".to_owned()]));
    tokio::spawn(print_all(queue)).await.ok();
}
// ANCHOR_END: wrong
