//! Two hundred tasks beside main.

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for _ in 0..200 {
        tokio::spawn(async {});
    }
    println!("no");
}
