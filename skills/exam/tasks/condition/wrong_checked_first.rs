//! Fails: a_change_during_the_predicate_counts
//! A change falls between the check and `notified()`, and `notify_waiters` keeps no permit.

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
        while !is_true() {
            self.changed.notified().await;
        }
    }
}
