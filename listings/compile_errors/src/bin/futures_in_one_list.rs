//! Run futures of different types at the same time.

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::task::JoinSet;

// ANCHOR: main
async fn by_truck(parcel: u32) -> u32 {
    12 * parcel
}

async fn by_plane(parcel: u32) -> u32 {
    30 * parcel
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (truck, plane) = tokio::join!(by_truck(1), by_plane(1));
    println!("join!: {truck}, {plane}");

    println!("join_all: {:?}", join_all([1, 2].map(by_truck)).await);

    let boxed: Vec<BoxFuture<'_, u32>> =
        vec![by_truck(1).boxed(), by_plane(1).boxed()];
    println!("boxed: {:?}", join_all(boxed).await);

    let mut tasks = JoinSet::new();
    tasks.spawn(by_truck(1));
    tasks.spawn(by_plane(1));
    println!("JoinSet: {:?}", tasks.join_all().await);
}
// ANCHOR_END: main
