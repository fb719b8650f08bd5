//! How many downloads have started when the first one is done?

// ANCHOR: begun
use std::cell::Cell;

use futures::{StreamExt, stream};

/// Takes one of four. Returns how many have started by then.
async fn begun(download: impl AsyncFn(u32)) -> u32 {
    let begun = Cell::new(0);
    let mut downloads = stream::iter(1..=4)
        .map(async |photo| {
            begun.set(begun.get() + 1);
            download(photo).await;
        })
        .buffered(4);
    downloads.next().await;
    begun.get()
}
// ANCHOR_END: begun

use tokio::task::yield_now;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let waits = begun(async |_| yield_now().await).await;
    println!("each has to wait:    {waits} have started");
    let ready = begun(async |_| {}).await;
    println!("the first is cached: {ready} has started");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ready_one_is_returned_at_once() {
        assert_eq!(begun(async |_| yield_now().await).await, 4);
        assert_eq!(begun(async |_| {}).await, 1);
        let first_is_ready = async |photo| {
            if photo > 1 {
                yield_now().await;
            }
        };
        assert_eq!(begun(first_is_ready).await, 1);
    }
}
