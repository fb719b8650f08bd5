//! Wrong: the error lives across an await, and `dyn Error` isn't `Send`.

use std::error::Error;

async fn report(problem: String) {
    println!("rejected: {problem}");
}

// ANCHOR: wrong
fn pages(order: &str) -> Result<u32, Box<dyn Error>> {
    Ok(order.parse()?)
}

async fn check(order: &str) {
    match pages(order) {
        Ok(pages) => println!("{pages} pages"),
        Err(error) => report(error.to_string()).await,
    }
}

#[tokio::main]
async fn main() {
    tokio::spawn(check("12 pages")).await.ok();
}
// ANCHOR_END: wrong
