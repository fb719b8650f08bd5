//! The lock future is kept from poll to poll.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::sleep,
};

// ANCHOR: writer
use futures::future::{BoxFuture, FutureExt};

struct Writer {
    ledger: Arc<Mutex<Vec<u32>>>,
    /// What waits for the lock, between two polls.
    locking: Option<BoxFuture<'static, OwnedMutexGuard<Vec<u32>>>>,
}

impl Writer {
    fn poll_add(
        &mut self,
        context: &mut Context,
        order: u32,
    ) -> Poll<()> {
        let locking = self.locking.get_or_insert_with(|| {
            Arc::clone(&self.ledger).lock_owned().boxed()
        });
        let mut ledger = ready!(locking.as_mut().poll(context));
        self.locking = None;
        ledger.push(order);
        Poll::Ready(())
    }
}
// ANCHOR_END: writer

/// Adds an order while another task has the lock, for 100 ms.
async fn add(ledger: Arc<Mutex<Vec<u32>>>) -> bool {
    let has_lock = ledger.clone().try_lock_owned().expect("it is new");
    let mut writer = Writer { ledger, locking: None };
    let backup = async {
        sleep(Duration::from_millis(100)).await;
        drop(has_lock);
    };
    let add = poll_fn(|context| writer.poll_add(context, 7));
    let hour = Duration::from_secs(3600);
    let backup = tokio::spawn(backup);
    let added = tokio::select! {
        biased;
        () = sleep(hour) => false,
        () = add => true,
    };
    backup.await.is_ok_and(|()| added)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let ledger = Arc::default();
    match add(Arc::clone(&ledger)).await {
        true => println!("added"),
        false => println!("waited for an hour, and nobody has it"),
    }
    println!("the ledger: {:?}", ledger.lock().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_has_its_turn() {
        let ledger = Arc::default();
        assert!(add(Arc::clone(&ledger)).await);
        assert_eq!(*ledger.lock().await, [7]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() {
        let ledger = Arc::default();
        assert!(add(Arc::clone(&ledger)).await);
        assert_eq!(*ledger.lock().await, [7]);
    }
}
