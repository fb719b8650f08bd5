//! Sleep for as many milliseconds as the world's clock says.

use std::time::{Duration, SystemTime};
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos() as u64 / 100);
    sleep(Duration::from_millis(nanos % 1_000_000)).await;
    println!("no");
}
