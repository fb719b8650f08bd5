//! Wrong: the van is moved while a future still borrows it.

use tokio::task::JoinError;

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

// ANCHOR: wrong
#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let van = Van { parcels: vec![7, 8] };
    let unloading = van.unload();
    let parking = tokio::spawn(van.park());
    unloading.await;
    parking.await
}
// ANCHOR_END: wrong
