//! Wrong: the guard is dropped before the await, and the compiler doesn't notice.

use std::sync::{Arc, Mutex};

async fn print(job: Option<String>) {
    println!("printing {job:?}");
}

// ANCHOR: wrong
async fn print_next(queue: Arc<Mutex<Vec<String>>>) {
    let mut jobs = queue.lock().expect("no holder panics");
    let next = jobs.pop();
    drop(jobs);
    print(next).await;
}

#[tokio::main]
async fn main() {
    let queue = Arc::new(Mutex::new(vec!["poster".to_owned()]));
    tokio::spawn(print_next(queue)).await.ok();
}
// ANCHOR_END: wrong
