//! Give the error a type that's `Send`, or turn it into text before the `match`.

use std::error::Error;

use tokio::task::JoinError;

async fn report(problem: String) {
    println!("rejected: {problem}");
}

// ANCHOR: two_ways
/// A function of your own: the error may be sent to another thread.
fn pages(order: &str) -> Result<u32, Box<dyn Error + Send + Sync>> {
    Ok(order.parse()?)
}

async fn check(order: &str) {
    match pages(order) {
        Ok(pages) => println!("{pages} pages"),
        Err(error) => report(error.to_string()).await,
    }
}

/// A function of a library that you can't change.
fn copies(order: &str) -> Result<u32, Box<dyn Error>> {
    Ok(order.parse()?)
}

async fn check_copies(order: &str) {
    match copies(order).map_err(|error| error.to_string()) {
        Ok(copies) => println!("{copies} copies"),
        Err(problem) => report(problem).await,
    }
}
// ANCHOR_END: two_ways

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    tokio::spawn(check("12")).await?;
    tokio::spawn(check("12 pages")).await?;
    tokio::spawn(check_copies("none")).await?;
    Ok(())
}
