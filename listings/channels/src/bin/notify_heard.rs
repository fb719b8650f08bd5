//! Create the future first, then check, then wait.

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
        self.opened.notify_waiters(); // Keeps nothing for later.
    }

    /// Waits until it's open. `between` stands for what can happen
    /// between two lines, on another thread for example.
    async fn wait(&self, between: impl FnOnce()) {
        // From here on, `notify_waiters` wakes this future.
        let opened = self.opened.notified();
        if !self.is_open.load(Ordering::Acquire) {
            between();
            opened.await;
        }
    }
}
// ANCHOR_END: gate

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
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn threads_open_between_the_check_and_the_wait() {
        assert!(run().await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_wait_while_others_open() {
        for _ in 0..1000 {
            let gate = Arc::new(Gate::default());
            let mut guests = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let gate = Arc::clone(&gate);
                guests.spawn(async move { gate.wait(|| ()).await });
            }
            gate.open();
            within(Duration::from_secs(60), guests.join_all()).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn opening_wakes_all_who_wait() {
        let gate = Gate::default();
        let guests = (0..17).map(|_| gate.wait(|| ()));
        let open = async { gate.open() };
        let guests = futures::future::join_all(guests);
        let all = async { tokio::join!(guests, open) };
        within(HOUR, all).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_gate_open_for_others() {
        at_every_poll(async |cancel| {
            let gate = Gate::default();
            let open = async {
                tokio::task::yield_now().await;
                gate.open();
            };
            let other = gate.wait(|| ());
            let one = cancel.run(gate.wait(|| ()));
            let all = async { tokio::join!(one, other, open) };
            within(HOUR, all).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_it_may_be_opened_and_passed_twice() {
        let gate = Gate::default();
        for _ in 0..2 {
            gate.open();
            within(HOUR, gate.wait(|| ())).await;
        }
    }
}
