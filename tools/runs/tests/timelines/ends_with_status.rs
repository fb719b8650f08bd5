//! End in the middle.

use std::time::Duration;
use tokio::time::sleep;

async fn ends() {
    sleep(Duration::from_millis(10)).await;
    std::process::exit(3);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("so far");
    let _ = tokio::spawn(ends()).await;
}
