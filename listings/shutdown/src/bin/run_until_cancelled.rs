//! What `run_until_cancelled` does with its future, at three moments.

// ANCHOR: moments
use std::future::ready;

use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

/// Runs ten steps of 100 ms each, and counts them in `done`.
async fn ten_steps(done: &mut u32) {
    for _ in 0..10 {
        sleep(Duration::from_millis(100)).await;
        *done += 1;
    }
}

async fn canceled_midway() -> (bool, u32) {
    let (stop, mut done) = (CancellationToken::new(), 0);
    let stopping = stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(350)).await;
        stopping.cancel();
    });
    let ended = stop.run_until_cancelled(ten_steps(&mut done)).await;
    (ended.is_some(), done)
}

async fn canceled_before() -> bool {
    let stop = CancellationToken::new();
    stop.cancel();
    // The future would be ready at its first poll, but isn't polled.
    stop.run_until_cancelled(ready(())).await.is_some()
}

async fn canceled_by_its_own_last_step() -> bool {
    let stop = CancellationToken::new();
    let last_step = async { stop.cancel() };
    stop.run_until_cancelled(last_step).await.is_some()
}
// ANCHOR_END: moments

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ended, done) = canceled_midway().await;
    println!("canceled midway: ended {ended}, {done} steps done");
    println!("canceled before: ended {}", canceled_before().await);
    let ended = canceled_by_its_own_last_step().await;
    println!("canceled by its own last step: ended {ended}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_it_where_it_waits() {
        assert_eq!(canceled_midway().await, (false, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_late_is_not_polled() {
        assert!(!canceled_before().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_ready_wins() {
        assert!(canceled_by_its_own_last_step().await);
    }
}
