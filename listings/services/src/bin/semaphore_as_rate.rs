//! Wrong: a semaphore with four permits isn't a limit of four calls a
//! second.

// ANCHOR: wrong
use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{AcquireError, Semaphore},
    task::JoinSet,
    time::{Instant, sleep},
};

/// A call to a service that allows four calls a second. Returns when it
/// started.
async fn look_up(permits: &Semaphore) -> Result<Instant, AcquireError> {
    let _permit = permits.acquire().await?;
    let started = Instant::now();
    sleep(Duration::from_millis(100)).await; // The call.
    Ok(started)
}
// ANCHOR_END: wrong

/// Starts a hundred calls, and counts those that start in the first
/// second.
async fn first_second() -> usize {
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(4));
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let permits = Arc::clone(&permits);
        calls.spawn(async move { look_up(&permits).await });
    }
    let second = Duration::from_secs(1);
    let started = calls.join_all().await.into_iter().flatten();
    started.filter(|&at| at - start < second).count()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("calls in the first second: {}", first_second().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_to_four_calls_a_second() {
        assert_eq!(first_second().await, 40);
    }
}
