//! The call that blocks runs on a thread that may be blocked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    task::{JoinError, spawn_blocking, yield_now},
    time::interval,
};

// ANCHOR: import
/// Imports all rows on a thread of the blocking pool.
///
/// # Errors
///
/// The import panicked, or the runtime ends.
async fn import(rows: u32) -> Result<(), JoinError> {
    spawn_blocking(move || {
        for _row in 0..rows {
            thread::sleep(Duration::from_millis(20));
        }
    })
    .await
}
// ANCHOR_END: import

/// A task that is due each 10 ms, as a health check might be. Counts
/// how often it ran.
fn heartbeat() -> Arc<AtomicU32> {
    let beats = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&beats);
    tokio::spawn(async move {
        let mut due = interval(Duration::from_millis(10));
        loop {
            due.tick().await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    beats
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let beats = heartbeat();
    yield_now().await;
    let before = beats.load(Ordering::Relaxed);
    // As long as it takes for a beat: on a busy machine, a bit more.
    while beats.load(Ordering::Relaxed) == before {
        import(5).await?;
    }
    println!("100 ms of import, and the heart beats");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_run_meanwhile() {
        let beats = heartbeat();
        yield_now().await;
        let before = beats.load(Ordering::Relaxed);
        while beats.load(Ordering::Relaxed) == before {
            import(1).await.expect("it does not panic");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_run_meanwhile_on_a_worker() {
        let beats = heartbeat();
        while beats.load(Ordering::Relaxed) == 0 {
            import(1).await.expect("it does not panic");
        }
    }
}
