//! A closed semaphore refuses those who wait, and lets others end.

// ANCHOR: close
use std::sync::Arc;

use tokio::{
    sync::{AcquireError, Semaphore},
    time::{Duration, sleep},
};
use tokio_util::task::TaskTracker;

async fn import(permits: &Semaphore) -> Result<(), AcquireError> {
    let _permit = permits.acquire().await?;
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Those that have begun come to their end. Those that wait do not
/// begin, and neither do those that come later.
async fn stop(permits: &Semaphore, imports: &TaskTracker) {
    permits.close();
    imports.close();
    imports.wait().await;
}
// ANCHOR_END: close

/// Five imports, two at a time, and a stop after half a second.
async fn run() -> Vec<String> {
    let permits = Arc::new(Semaphore::new(2));
    let imports = TaskTracker::new();
    let handles: Vec<_> = (1..=5)
        .map(|_| {
            let permits = Arc::clone(&permits);
            imports.spawn(async move { import(&permits).await })
        })
        .collect();
    sleep(Duration::from_millis(500)).await;
    stop(&permits, &imports).await;
    let mut told = Vec::new();
    for (number, handle) in (1..).zip(handles) {
        told.push(match handle.await {
            Ok(Ok(())) => format!("import {number}: done"),
            Ok(Err(error)) => format!("import {number}: {error}"),
            Err(error) => format!("import {number}: {error}"),
        });
    }
    told
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in run().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_end_and_three_are_refused() {
        let start = Instant::now();
        let told = run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        let done = told.iter().filter(|line| line.ends_with("done"));
        assert_eq!(done.count(), 2);
    }

    #[tokio::test]
    async fn closed_is_for_good() {
        let permits = Semaphore::new(1);
        permits.close();
        permits.add_permits(1);
        assert!(permits.acquire().await.is_err());
        assert!(permits.try_acquire().is_err());
    }
}
