//! Give the futures of two branches one type.

use std::time::Duration;

use futures::{
    FutureExt,
    future::{BoxFuture, Either},
};
use tokio::{task::yield_now, time::timeout};

// ANCHOR: three
async fn by_truck(parcel: u32) -> u32 {
    let stops = [2; 10];
    yield_now().await;
    parcel * stops.iter().sum::<u32>()
}

async fn by_plane(parcel: u32) -> u32 {
    30 * parcel
}

async fn awaited(express: bool) -> u32 {
    if express { by_plane(1).await } else { by_truck(1).await }
}

fn either(express: bool) -> impl Future<Output = u32> {
    if express {
        Either::Left(by_plane(1))
    } else {
        Either::Right(by_truck(1))
    }
}

fn boxed(express: bool) -> BoxFuture<'static, u32> {
    if express { by_plane(1).boxed() } else { by_truck(1).boxed() }
}
// ANCHOR_END: three

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let limit = Duration::from_secs(1);
    println!("{:?}", timeout(limit, awaited(true)).await);
    println!("{:?}", timeout(limit, either(false)).await);
    println!("{:?}", timeout(limit, boxed(false)).await);

    println!("by_plane: {} bytes", size_of_val(&by_plane(1)));
    println!("by_truck: {} bytes", size_of_val(&by_truck(1)));
    println!("awaited:  {} bytes", size_of_val(&awaited(true)));
    println!("either:   {} bytes", size_of_val(&either(true)));
    println!("boxed:    {} bytes", size_of_val(&boxed(true)));
}
