//! An async closure lends what it captures, so it can be called again.

// ANCHOR: retry
async fn twice(deliver: impl AsyncFn()) {
    deliver().await;
    deliver().await;
}

async fn drive(address: &str) {
    println!("driving to {address}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = String::from("12 Mill Lane");
    twice(async || drive(&address).await).await;
}
// ANCHOR_END: retry
