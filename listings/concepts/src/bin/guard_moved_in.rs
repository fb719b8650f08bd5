//! Create the guard before the task, and move it in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

// ANCHOR: serve
impl Open {
    /// Increments the count, and decrements it when dropped.
    fn new(open: &Arc<AtomicU32>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

/// The task owns the guard even before its first poll, so the guard
/// is dropped no matter how the task ends.
fn serve(open: &Arc<AtomicU32>) -> JoinHandle<()> {
    let open = Open::new(open);
    tokio::spawn(async move {
        let _open = open;
        talk().await;
    })
}
// ANCHOR_END: serve

/// Decrements the count when dropped.
struct Open(Arc<AtomicU32>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

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
        for polls in 0..3 {
            let open = Arc::new(AtomicU32::new(0));
            let task = serve(&open);
            assert_eq!(open.load(Ordering::Acquire), 1);
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            task.abort();
            assert!(task.await.is_err());
            assert_eq!(open.load(Ordering::Acquire), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_counts_down() {
        let open = Arc::new(AtomicU32::new(0));
        let guard = Open::new(&open);
        let task = tokio::spawn(async move {
            let _open = guard;
            panic!("a bad request");
        });
        assert!(task.await.is_err());
        assert_eq!(open.load(Ordering::Acquire), 0);
    }

    #[test]
    fn owner_gone_counts_down_with_its_runtime() {
        let open = Arc::new(AtomicU32::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let entered = runtime.enter();
        drop(serve(&open));
        drop(entered);
        drop(runtime);
        assert_eq!(open.load(Ordering::Acquire), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_abort_and_poll_at_the_same_time() {
        let open = Arc::new(AtomicU32::new(0));
        for _ in 0..1000 {
            let task = serve(&open);
            task.abort();
            task.await.ok();
        }
        assert_eq!(open.load(Ordering::Acquire), 0);
    }
}
