//! Wrong: one task blocks its thread, so all other tasks wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{task::yield_now, time::interval};

// ANCHOR: wrong
/// Wrong: `thread::sleep` blocks the thread. Until it returns, no
/// other task on this thread runs, and no timer or socket is driven.
async fn import() {
    for _row in 0..5 {
        thread::sleep(Duration::from_millis(20));
    }
}
// ANCHOR_END: wrong

/// Runs every 10 ms, like a health check, and counts its runs.
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
async fn main() {
    let beats = heartbeat();
    yield_now().await;
    let before = beats.load(Ordering::Relaxed);
    import().await;
    let during = beats.load(Ordering::Relaxed) - before;
    println!("100 ms of import, {during} heartbeats");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_rows_let_others_run_meanwhile() {
        let beats = heartbeat();
        yield_now().await;
        let before = beats.load(Ordering::Relaxed);
        import().await;
        assert_eq!(beats.load(Ordering::Relaxed), before);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_worker_that_sleeps_runs_nothing_else() {
        let beats = tokio::spawn(async {
            let beats = heartbeat();
            import().await;
            beats.load(Ordering::Relaxed)
        });
        assert_eq!(beats.await.expect("it does not panic"), 0);
    }
}
