//! Work on another thread.

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let _ = tokio::task::spawn_blocking(|| ()).await;
    println!("no");
}
