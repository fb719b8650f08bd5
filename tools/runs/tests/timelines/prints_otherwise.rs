//! Print what no one may rely on: how large a future is.

async fn nothing() {
    std::future::ready(()).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let future = nothing();
    match size_of_val(&future) {
        // A mark makes it larger.
        0..=8 => println!("no"),
        _ => println!("yes"),
    }
    future.await;
}
