//! Wrong: nothing says which collection `collect` builds.

use futures::{StreamExt, stream};

async fn quote(parcel: u32) -> u32 {
    12 * parcel
}

#[tokio::main]
async fn main() {
    let parcels = stream::iter(1..=3);
    let quotes = parcels.map(quote).buffered(2).collect().await;
    println!("{quotes:?}");
}
