//! Begin to listen first, then look, then wait.

// ANCHOR: gate
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    opened: Notify,
}

impl Gate {
    fn open(&self) {
        self.is_open.store(true, Ordering::Release);
        self.opened.notify_waiters(); // Wakes those who wait now.
    }

    /// `between` stands for what happens between two lines: another
    /// thread, a lock, a log line that takes long.
    async fn wait(&self, between: impl FnOnce()) {
        // From here on, `notify_waiters` is heard.
        let opened = self.opened.notified();
        if !self.is_open.load(Ordering::Acquire) {
            between();
            opened.await;
        }
    }
}
// ANCHOR_END: gate

use tokio::time::{Duration, timeout};

/// It is opened between the look and the wait.
async fn run() -> bool {
    let gate = Gate::default();
    let limit = Duration::from_secs(60);
    timeout(limit, gate.wait(|| gate.open())).await.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("through the open gate: {}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_through() {
        assert!(run().await);
    }
}
