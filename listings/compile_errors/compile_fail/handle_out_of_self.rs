//! Wrong: the `.await` moves the handle out of a borrowed courier.

use tokio::task::{JoinError, JoinHandle};

// ANCHOR: wrong
struct Courier {
    tour: JoinHandle<u32>,
}

impl Courier {
    async fn stop(&mut self) -> Result<u32, JoinError> {
        self.tour.await
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let mut courier = Courier { tour: tokio::spawn(async { 7 }) };
    println!("{:?}", courier.stop().await);
}
