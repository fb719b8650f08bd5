//! Wrong: a statement creates a future, and never awaits it.
#![deny(unused_must_use)]

async fn charge(cents: u32) -> u32 {
    cents
}

#[tokio::main]
async fn main() {
    charge(1250);
    println!("thank you for your order");
}
