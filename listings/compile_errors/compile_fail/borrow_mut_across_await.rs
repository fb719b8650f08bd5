//! Wrong: a `RefCell` is borrowed while the task awaits.

use std::cell::RefCell;

async fn print(job: &str) -> usize {
    job.len()
}

// ANCHOR: wrong
async fn print_all(jobs: Vec<String>) -> usize {
    let pages = RefCell::new(Vec::new());
    for job in &jobs {
        let mut pages = pages.borrow_mut();
        pages.push(print(job).await);
    }
    pages.into_inner().iter().sum()
}

#[tokio::main]
async fn main() {
    let jobs = vec!["poster".to_owned()];
    tokio::spawn(print_all(jobs)).await.ok();
}
// ANCHOR_END: wrong
