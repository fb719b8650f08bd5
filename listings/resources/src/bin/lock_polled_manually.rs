//! Wrong: every poll creates a new lock future and drops it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{sync::Mutex, time::sleep};

// ANCHOR: wrong
struct Writer {
    ledger: Arc<Mutex<Vec<u32>>>,
}

impl Writer {
    /// Wrong: `lock` is dropped with each `Pending`, and with it its
    /// place in the queue and its waker. It's never called again.
    fn poll_add(
        &mut self,
        context: &mut Context,
        order: u32,
    ) -> Poll<()> {
        let lock = pin!(self.ledger.lock());
        let mut ledger = ready!(lock.poll(context));
        ledger.push(order);
        Poll::Ready(())
    }
}
// ANCHOR_END: wrong

/// Adds an order while another task has the lock, for 100 ms.
async fn add(ledger: Arc<Mutex<Vec<u32>>>) -> bool {
    let has_lock = ledger.clone().try_lock_owned().expect("it is new");
    let mut writer = Writer { ledger };
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
    async fn slow_holder() {
        let ledger = Arc::default();
        assert!(!add(Arc::clone(&ledger)).await);
        assert!(ledger.try_lock().is_ok_and(|it| it.is_empty()));
    }
}
