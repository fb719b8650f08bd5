//! Await first, and borrow the `RefCell` in a statement that has no await.

use std::cell::RefCell;

use tokio::task::JoinError;

async fn print(job: &str) -> usize {
    job.len()
}

// ANCHOR: print_all
async fn print_all(jobs: Vec<String>) -> usize {
    let pages = RefCell::new(Vec::new());
    for job in &jobs {
        let printed = print(job).await;
        pages.borrow_mut().push(printed);
    }
    pages.into_inner().iter().sum()
}
// ANCHOR_END: print_all

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let jobs = ["poster", "menu"].map(String::from).into();
    println!("{} pages", tokio::spawn(print_all(jobs)).await?);
    Ok(())
}
