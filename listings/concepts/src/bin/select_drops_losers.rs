//! The losing branches of a `select!` stop at their `.await`.

use std::{cell::Cell, time::Duration};

use tokio::time::sleep;

// ANCHOR: race
/// Counts its steps: one every 10 ms, ten in all.
async fn upload(steps: &Cell<u32>) {
    for _ in 0..10 {
        sleep(Duration::from_millis(10)).await;
        steps.set(steps.get() + 1);
    }
}

/// Uploads, or gives up after 35 ms.
async fn upload_or_give_up(steps: &Cell<u32>) -> &'static str {
    tokio::select! {
        () = upload(steps) => "uploaded",
        () = sleep(Duration::from_millis(35)) => "given up",
    }
}
// ANCHOR_END: race

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let steps = Cell::new(0);
    let outcome = upload_or_give_up(&steps).await;
    println!("{outcome}, after {} of 10 steps", steps.get());
    sleep(Duration::from_secs(1)).await;
    println!("a second later: {} steps", steps.get());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_loser_does_no_more_steps() {
        let steps = Cell::new(0);
        assert_eq!(upload_or_give_up(&steps).await, "given up");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(steps.get(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        let steps = Cell::new(0);
        upload_or_give_up(&steps).await;
        let before = steps.get();
        tokio::task::yield_now().await;
        assert_eq!(steps.get(), before);
    }
}
