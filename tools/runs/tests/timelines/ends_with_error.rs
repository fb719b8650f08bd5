//! End with an error.

use std::time::Duration;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), String> {
    println!("so far");
    sleep(Duration::from_millis(10)).await;
    Err("on purpose".to_owned())
}
