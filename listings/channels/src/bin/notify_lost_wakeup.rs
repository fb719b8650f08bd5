//! Wrong: the wakeup comes between the check and the wait, and is lost.

// ANCHOR: wrong
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
        self.opened.notify_waiters(); // Keeps nothing for later.
    }

    /// Waits until it's open. `between` stands for what can happen
    /// between two lines, on another thread for example.
    async fn wait(&self, between: impl FnOnce()) {
        if !self.is_open.load(Ordering::Acquire) {
            between();
            // Wrong: if the gate was opened after the check, there
            // was no task to wake yet, and this one waits forever.
            self.opened.notified().await;
        }
    }
}
// ANCHOR_END: wrong

use tokio::time::{Duration, timeout};

/// It's opened between the check and the wait.
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
    async fn threads_open_between_the_check_and_the_wait() {
        assert!(!run().await);
    }
}
