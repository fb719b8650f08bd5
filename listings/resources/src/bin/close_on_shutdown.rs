//! A closed semaphore rejects new work and lets current work finish.

// ANCHOR: close
use std::sync::Arc;

use tokio::{
    sync::{AcquireError, Semaphore},
    time::{Duration, sleep, timeout},
};
use tokio_util::task::TaskTracker;

async fn import(permits: &Semaphore) -> Result<(), AcquireError> {
    let _permit = permits.acquire().await?;
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Imports that hold a permit finish. Imports that wait for a permit,
/// and later ones, are rejected.
///
/// Returns how many are still running after the grace period.
async fn stop(
    permits: &Semaphore,
    imports: &TaskTracker,
    grace: Duration,
) -> usize {
    permits.close();
    imports.close();
    timeout(grace, imports.wait()).await.ok();
    imports.len()
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
    let left = stop(&permits, &imports, Duration::from_secs(10)).await;
    let mut lines = vec![format!("still running: {left}")];
    for (number, handle) in (1..).zip(handles) {
        lines.push(match handle.await {
            Ok(Ok(())) => format!("import {number}: done"),
            Ok(Err(error)) => format!("import {number}: {error}"),
            Err(error) => format!("import {number}: {error}"),
        });
    }
    lines
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in run().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::{task::yield_now, time::Instant};

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn stop_lets_two_finish_and_refuses_three() {
        let start = Instant::now();
        let lines = run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(lines[0], "still running: 0");
        let done = lines.iter().filter(|line| line.ends_with("done"));
        assert_eq!(done.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_grace_period() {
        let (permits, imports) =
            (Semaphore::new(2), TaskTracker::new());
        let silent = imports.spawn(std::future::pending::<()>());
        let stop = stop(&permits, &imports, GRACE);
        assert_eq!(within(HOUR, stop).await, 1);
        silent.abort();
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_in_the_handle() {
        let (permits, imports) =
            (Semaphore::new(2), TaskTracker::new());
        let broken = imports.spawn(async { panic!("line 7") });
        assert_eq!(stop(&permits, &imports, GRACE).await, 0);
        let error: tokio::task::JoinError =
            broken.await.expect_err("it has panicked");
        assert!(error.to_string().contains("line 7"));
    }

    /// Called again after a cancellation, it waits for what is left.
    #[tokio::test(start_paused = true)]
    async fn cancel_and_stop_again() {
        at_every_poll(async |cancel| {
            let permits = Arc::new(Semaphore::new(2));
            let imports = TaskTracker::new();
            let clone = Arc::clone(&permits);
            let import =
                imports.spawn(async move { import(&clone).await });
            yield_now().await;
            cancel.run(stop(&permits, &imports, GRACE)).await;
            assert_eq!(stop(&permits, &imports, GRACE).await, 0);
            assert!(import.await.is_ok_and(|import| import.is_ok()));
        })
        .await;
    }

    #[tokio::test]
    async fn again_closed_is_for_good() {
        let permits = Semaphore::new(1);
        permits.close();
        permits.close();
        permits.add_permits(1);
        assert!(permits.acquire().await.is_err());
        assert!(permits.try_acquire().is_err());
    }

    #[tokio::test]
    async fn edges_no_import() {
        let (permits, imports) =
            (Semaphore::new(2), TaskTracker::new());
        let left = stop(&permits, &imports, Duration::ZERO).await;
        assert_eq!(left, 0);
    }
}
