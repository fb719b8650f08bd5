//! `Notified` is created before the predicate runs: a `notify_waiters` from then on wakes it, even before its first poll.

use tokio::sync::Notify;

#[derive(Default)]
pub struct Condition {
    changed: Notify,
}

impl Condition {
    pub fn notify(&self) {
        self.changed.notify_waiters();
    }

    pub async fn wait_until(&self, is_true: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_true() {
                return;
            }
            changed.await;
        }
    }
}
