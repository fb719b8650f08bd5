//! Wrong: `main` returns, and unfinished work is lost.

// ANCHOR: wrong
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    runtime::Builder,
    time::{Duration, sleep},
};

/// Sends ten receipts, which take a second each. Returns how many were
/// sent before the runtime was dropped.
fn run(sent: &Arc<AtomicU32>) -> std::io::Result<u32> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        for _ in 0..10 {
            let sent = Arc::clone(sent);
            // Wrong: nothing waits for these tasks.
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                sent.fetch_add(1, Ordering::Relaxed);
            });
        }
        sleep(Duration::from_millis(100)).await;
        // The program is asked to stop, and returns.
    });
    drop(runtime);
    Ok(sent.load(Ordering::Relaxed))
}
// ANCHOR_END: wrong

fn main() -> std::io::Result<()> {
    println!("sent: {} of 10", run(&Arc::default())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_waits_for_what_was_begun() -> std::io::Result<()> {
        // It does not.
        assert_eq!(run(&Arc::default())?, 0);
        Ok(())
    }
}
