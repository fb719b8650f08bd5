//! Keep the future of `lock` from one poll to the next.

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
use tokio_util::sync::ReusableBoxFuture;

struct Writer {
    ledger: Arc<Mutex<Vec<u32>>>,
    /// Keeps its place in the queue between two polls. The box is
    /// reused for the next order.
    lock: ReusableBoxFuture<'static, OwnedMutexGuard<Vec<u32>>>,
}

impl Writer {
    fn new(ledger: Arc<Mutex<Vec<u32>>>) -> Self {
        let lock = Arc::clone(&ledger).lock_owned();
        Self { ledger, lock: ReusableBoxFuture::new(lock) }
    }

    /// A caller that stops polling must call `give_up`, or drop this.
    fn poll_add(
        &mut self,
        context: &mut Context,
        order: u32,
    ) -> Poll<()> {
        let mut ledger = ready!(self.lock.poll(context));
        ledger.push(order);
        self.give_up();
        Poll::Ready(())
    }

    /// Leaves the queue. If the lock has been handed to this future
    /// already, the next task in the queue gets it.
    fn give_up(&mut self) {
        self.lock.set(Arc::clone(&self.ledger).lock_owned());
    }
}
// ANCHOR_END: writer

/// Adds an order while another task has the lock, for 100 ms.
async fn add(ledger: Arc<Mutex<Vec<u32>>>) -> bool {
    let has_lock = ledger.clone().try_lock_owned().expect("it is new");
    let mut writer = Writer::new(ledger);
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
        false => println!("waited for an hour for a free lock"),
    }
    println!("the ledger: {:?}", ledger.lock().await);
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_holder() {
        let ledger = Arc::default();
        assert!(add(Arc::clone(&ledger)).await);
        assert_eq!(*ledger.lock().await, [7]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_holder_on_another_one() {
        let ledger = Arc::default();
        assert!(add(Arc::clone(&ledger)).await);
        assert_eq!(*ledger.lock().await, [7]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_hands_the_lock_on() {
        at_every_poll(async |cancel| {
            let ledger: Arc<Mutex<Vec<u32>>> = Arc::default();
            let holder = ledger.clone().lock_owned().await;
            let mut writer = Writer::new(Arc::clone(&ledger));
            let add = poll_fn(|context| writer.poll_add(context, 7));
            let release = async { drop(holder) };
            let (added, ()) =
                tokio::join!(biased; cancel.run(add), release);
            // The lock is with the kept future, which nobody polls.
            if added.is_none() && cancel.polls() > 0 {
                assert!(ledger.try_lock().is_err());
            }
            writer.give_up();
            let ledger = within(HOUR, ledger.lock()).await;
            assert_eq!(ledger.len(), usize::from(added.is_some()));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_hands_the_lock_on() {
        let ledger: Arc<Mutex<Vec<u32>>> = Arc::default();
        let holder = ledger.clone().lock_owned().await;
        let mut writer = Writer::new(Arc::clone(&ledger));
        let mut add =
            pin!(poll_fn(|context| { writer.poll_add(context, 7) }));
        assert!(futures::poll!(add.as_mut()).is_pending());
        drop(holder);
        assert!(ledger.try_lock().is_err());
        drop(writer);
        assert!(ledger.try_lock().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_the_order_of_the_queue() {
        let ledger: Arc<Mutex<Vec<u32>>> = Arc::default();
        let holder = ledger.clone().lock_owned().await;
        let write = async |order| {
            let mut writer = Writer::new(Arc::clone(&ledger));
            poll_fn(|context| writer.poll_add(context, order)).await;
            poll_fn(|context| writer.poll_add(context, order)).await;
        };
        let all = async {
            let release = async { drop(holder) };
            tokio::join!(biased; write(1), write(2), release);
        };
        within(HOUR, all).await;
        assert_eq!(*ledger.lock().await, [1, 2, 1, 2]);
    }
}
