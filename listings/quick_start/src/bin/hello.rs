//! Wait for two things concurrently.

use std::time::Duration;

use tokio::time::sleep;

async fn load(what: &str) -> String {
    println!("asked for the {what}");
    // Stands in for a call to a database or another service.
    sleep(Duration::from_millis(10)).await;
    format!("got the {what}")
}

#[tokio::main]
async fn main() {
    // Calling an async fn doesn't run it yet. `join!` runs both.
    let (customer, orders) =
        tokio::join!(load("customer"), load("orders"));
    println!("{customer}");
    println!("{orders}");
}
