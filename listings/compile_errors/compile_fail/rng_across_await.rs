//! Wrong: the random number generator of this thread is kept across an await.
// Cargo.toml: rand = "0.10"
// Cargo.toml: tokio = { version = "1", features = ["macros", "rt", "time"] }

use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;

async fn pause() {
    let mut rng = rand::rng();
    for _ in 0..3 {
        let millis = rng.random_range(50..100);
        sleep(Duration::from_millis(millis)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tokio::spawn(pause()).await.ok();
}
