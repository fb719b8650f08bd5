//! Wrong: the guard of a std `Mutex` is held across an await.

use std::sync::{Arc, Mutex};

use tokio::task::yield_now;

async fn count_visit(visits: Arc<Mutex<u32>>) {
    let mut count = visits.lock().expect("it is not poisoned");
    *count += 1;
    drop(count);
    yield_now().await;
}

#[tokio::main]
async fn main() {
    let visits = Arc::new(Mutex::new(0));
    tokio::spawn(count_visit(visits)).await.ok();
}
