//! Wrong: the first call moves the address into its block.

async fn twice(deliver: impl AsyncFn()) {
    deliver().await;
    deliver().await;
}

async fn drive(address: &str) {
    println!("driving to {address}");
}

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let address = String::from("12 Mill Lane");
    twice(|| async move { drive(&address).await }).await;
}
// ANCHOR_END: wrong
