//! Use a value that isn't `Send` in a statement that has no await, and keep only the result.

use std::rc::Rc;

use tokio::task::JoinError;

async fn pages() -> u32 {
    12
}

// ANCHOR: print
thread_local! {
    static HEADER: Rc<str> = Rc::from("Print shop");
}

async fn log(line: String) {
    println!("{line}");
}

async fn print(order: u32) {
    // The `Rc` of this thread stays in the closure.
    let header = HEADER.with(|header| header.to_string());
    println!("{header}: order {order}, {} pages", pages().await);

    // A `String` is `Send`.
    log(format!("order {order} printed")).await;
}
// ANCHOR_END: print

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    tokio::spawn(print(7)).await
}
