//! More turns than a picture can show.

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    println!("no");
}
