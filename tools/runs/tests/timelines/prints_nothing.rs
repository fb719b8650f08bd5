//! Print nothing where it is recorded, as a log does whose lines are the recorder's then.

async fn nothing() {
    std::future::ready(()).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let future = nothing();
    // A mark makes it larger.
    if size_of_val(&future) <= 8 {
        println!("no");
    }
    future.await;
}
