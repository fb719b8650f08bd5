//! Wrong: the guard is created inside the task, which may never start.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

// ANCHOR: wrong
/// Decrements the count when dropped.
struct Open(Arc<AtomicU32>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Wrong: a task that is aborted before its first poll doesn't even
/// run its first line. Without the guard, the count stays too high.
fn serve(open: &Arc<AtomicU32>) -> JoinHandle<()> {
    open.fetch_add(1, Ordering::AcqRel);
    let open = Arc::clone(open);
    tokio::spawn(async move {
        let _open = Open(open);
        talk().await;
    })
}
// ANCHOR_END: wrong

/// Talks to a client, for a second.
async fn talk() {
    sleep(Duration::from_secs(1)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let open = Arc::new(AtomicU32::new(0));
    let task = serve(&open);
    task.abort();
    task.await.ok();
    println!("open connections: {}", open.load(Ordering::Acquire));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_counts_down_even_before_the_first_poll() {
        let open = Arc::new(AtomicU32::new(0));
        let task = serve(&open);
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(open.load(Ordering::Acquire), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_first_poll_it_counts_down() {
        let open = Arc::new(AtomicU32::new(0));
        let task = serve(&open);
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(open.load(Ordering::Acquire), 0);
    }
}
