//! Fails: all_who_wait_are_woken
//! One of many waiters wakes, and its predicate may still be false.

use tokio::sync::Notify;

#[derive(Default)]
pub struct Condition {
    changed: Notify,
}

impl Condition {
    pub fn notify(&self) {
        self.changed.notify_one();
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
