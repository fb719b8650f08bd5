//! Drop a set, a handle, or an owning handle: which ones abort tasks?

// ANCHOR: drop_after
use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};
use tokio_util::task::AbortOnDropHandle;

/// Three exports of 100 ms in a set, which is dropped after 50 ms.
/// Each of them is aborted at its `.await`.
async fn drop_set(ledger: &Arc<Ledger>) {
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(export(Arc::clone(ledger)));
    }
    sleep(Duration::from_millis(50)).await;
}

/// The same with handles, which are dropped. The exports keep running.
async fn drop_handles(ledger: &Arc<Ledger>) {
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(tokio::spawn(export(Arc::clone(ledger))));
    }
    sleep(Duration::from_millis(50)).await;
}

/// The same with handles that own their task.
async fn drop_owning_handles(ledger: &Arc<Ledger>) {
    let mut handles = Vec::new();
    for _ in 0..3 {
        let task = tokio::spawn(export(Arc::clone(ledger)));
        handles.push(AbortOnDropHandle::new(task));
    }
    sleep(Duration::from_millis(50)).await;
}
// ANCHOR_END: drop_after

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many exports ended, and how.
#[derive(Default)]
struct Ledger {
    finished: AtomicUsize,
    dropped: AtomicUsize,
}

impl Ledger {
    /// Finished, and dropped before that.
    fn counts(&self) -> (usize, usize) {
        (
            self.finished.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
        )
    }
}

/// Counts an export as dropped, unless it has finished.
struct Entry {
    ledger: Arc<Ledger>,
    finished: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let count = match self.finished {
            true => &self.ledger.finished,
            false => &self.ledger.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn export(ledger: Arc<Ledger>) {
    let mut entry = Entry { ledger, finished: false };
    sleep(Duration::from_millis(100)).await;
    entry.finished = true;
}

fn print(what: &str, ledger: &Ledger) {
    let (finished, dropped) = ledger.counts();
    println!("{what:<18} {finished} finished, {dropped} aborted");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let ledger = Arc::default();
    drop_set(&ledger).await;
    sleep(Duration::from_secs(1)).await;
    print("JoinSet", &ledger);

    let ledger = Arc::default();
    drop_handles(&ledger).await;
    sleep(Duration::from_secs(1)).await;
    print("JoinHandle", &ledger);

    let ledger = Arc::default();
    drop_owning_handles(&ledger).await;
    sleep(Duration::from_secs(1)).await;
    print("AbortOnDropHandle", &ledger);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn settle() {
        sleep(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_set_aborts_its_tasks() {
        let ledger = Arc::default();
        drop_set(&ledger).await;
        // Aborting is a request: the tasks are not dropped yet.
        assert_eq!(ledger.counts(), (0, 0));
        tokio::task::yield_now().await;
        assert_eq!(ledger.counts(), (0, 3));
        settle().await;
        assert_eq!(ledger.counts(), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_handle_lets_its_task_go_on() {
        let ledger = Arc::default();
        drop_handles(&ledger).await;
        assert_eq!(ledger.counts(), (0, 0));
        settle().await;
        assert_eq!(ledger.counts(), (3, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_owning_handle_aborts_its_task() {
        let ledger = Arc::default();
        drop_owning_handles(&ledger).await;
        settle().await;
        assert_eq!(ledger.counts(), (0, 3));
    }

    /// Waits until all three have ended, however that was.
    async fn all_ended(ledger: &Ledger) -> (usize, usize) {
        loop {
            let (finished, dropped) = ledger.counts();
            if finished + dropped == 3 {
                return (finished, dropped);
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_task_is_forgotten_on_many_threads() {
        let ledger = Arc::default();
        drop_handles(&ledger).await;
        assert_eq!(all_ended(&ledger).await, (3, 0));

        // 50 ms may be long on a busy machine, so an export may win.
        let ledger = Arc::default();
        drop_set(&ledger).await;
        let (finished, dropped) = all_ended(&ledger).await;
        assert_eq!(finished + dropped, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_not_begun_never_begins() {
        let ledger: Arc<Ledger> = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(export(Arc::clone(&ledger)));
        drop(tasks);
        settle().await;
        assert_eq!(ledger.counts(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn sets_by_key_and_in_order_abort_their_tasks() {
        let ledger: Arc<Ledger> = Arc::default();
        let mut keyed = tokio_util::task::JoinMap::new();
        keyed.spawn("orders", export(Arc::clone(&ledger)));
        let mut ordered = tokio_util::task::JoinQueue::new();
        ordered.spawn(export(Arc::clone(&ledger)));
        sleep(Duration::from_millis(50)).await;
        drop((keyed, ordered));
        settle().await;
        assert_eq!(ledger.counts(), (0, 2));
    }
}
