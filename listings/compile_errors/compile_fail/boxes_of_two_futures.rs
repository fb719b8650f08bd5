//! Wrong: the boxes contain futures of different types.

use futures::future::join_all;

async fn by_truck(parcel: u32) -> u32 {
    12 * parcel
}

async fn by_plane(parcel: u32) -> u32 {
    30 * parcel
}

#[tokio::main]
async fn main() {
    let quotes = vec![Box::pin(by_truck(1)), Box::pin(by_plane(1))];
    println!("{:?}", join_all(quotes).await);
}
