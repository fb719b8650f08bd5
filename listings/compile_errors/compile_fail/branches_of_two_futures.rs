//! Wrong: the two branches have futures of different types.

use std::time::Duration;

use tokio::time::timeout;

async fn by_truck(parcel: u32) -> u32 {
    12 * parcel
}

async fn by_plane(parcel: u32) -> u32 {
    30 * parcel
}

async fn quote(express: bool) -> Option<u32> {
    let quote = if express { by_plane(1) } else { by_truck(1) };
    timeout(Duration::from_secs(1), quote).await.ok()
}

#[tokio::main]
async fn main() {
    println!("{:?}", quote(true).await);
}
