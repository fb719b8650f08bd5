//! How many downloads have started when the first one is done?

// ANCHOR: started
use std::cell::Cell;

use futures::{StreamExt, stream};

/// Takes the first of four. Returns how many have started by then.
async fn started(download: impl AsyncFn(u32)) -> u32 {
    let started = Cell::new(0);
    let mut downloads = stream::iter(1..=4)
        .map(async |photo| {
            started.set(started.get() + 1);
            download(photo).await;
        })
        .buffered(4);
    downloads.next().await;
    started.get()
}
// ANCHOR_END: started

use tokio::task::yield_now;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let waits = started(async |_| yield_now().await).await;
    println!("each has to wait:    {waits} have started");
    let ready = started(async |_| {}).await;
    println!("the first is cached: {ready} has started");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ready_one_is_returned_at_once() {
        assert_eq!(started(async |_| yield_now().await).await, 4);
        assert_eq!(started(async |_| {}).await, 1);
        let first_is_ready = async |photo| {
            if photo > 1 {
                yield_now().await;
            }
        };
        assert_eq!(started(first_is_ready).await, 1);
    }
}
