//! Await the future that borrows the van, and then move the van.

use tokio::task::JoinError;

// ANCHOR: van
struct Van {
    parcels: Vec<u32>,
}

impl Van {
    async fn unload(&self) {
        println!("unloaded: {:?}", self.parcels);
    }

    async fn park(self) {
        println!("parked");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let van = Van { parcels: vec![7, 8] };
    van.unload().await;
    tokio::spawn(van.park()).await
}
// ANCHOR_END: van
