//! Wrong: a future that waits for a lock is no longer polled.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

// ANCHOR: wrong
/// Wrong: when the arm runs, `refresh` is still in the queue for the
/// lock. It's the next to get the lock, but nothing polls it anymore,
/// so it never releases the lock. The arm waits behind it.
async fn refresh_or_note(ledger: &Mutex<Vec<&'static str>>) {
    let mut refresh = pin!(write(ledger, "refreshed"));
    tokio::select! {
        () = &mut refresh => {}
        () = sleep(Duration::from_millis(50)) => {
            write(ledger, "refresh is slow").await;
        }
    }
}
// ANCHOR_END: wrong

async fn write(ledger: &Mutex<Vec<&'static str>>, line: &'static str) {
    ledger.lock().await.push(line);
}

/// Another task has the lock, for 100 ms.
fn back_up(ledger: &Arc<Mutex<Vec<&'static str>>>) {
    let ledger = Arc::clone(ledger);
    let has_lock = ledger.try_lock_owned().expect("it is new");
    tokio::spawn(async move {
        sleep(Duration::from_millis(100)).await;
        drop(has_lock);
    });
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let ledger = Arc::default();
    back_up(&ledger);
    let hour = Duration::from_secs(3600);
    match timeout(hour, refresh_or_note(&ledger)).await {
        Ok(()) => println!("written: {:?}", ledger.lock().await),
        Err(_) => {
            println!("It hung for an hour, and the backup was done");
            println!("after 100 ms.");
        }
    }
    println!("written: {:?}", ledger.lock().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_refreshes_do_not_hang() {
        // The mistake: the lock goes to a future that nothing polls.
        let ledger = Arc::default();
        back_up(&ledger);
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, refresh_or_note(&ledger)).await.is_err());
        // Dropped with the future, its place in the queue is free.
        assert!(ledger.lock().await.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_threads_do_not_help() {
        let ledger: Arc<Mutex<Vec<_>>> = Arc::default();
        let lock = Arc::clone(&ledger).lock_owned().await;
        let mut refresh = pin!(write(&ledger, "refreshed"));
        assert!(futures::poll!(&mut refresh).is_pending());
        drop(lock);
        // It was given the lock, but has not been polled since.
        assert!(ledger.try_lock().is_err());
        refresh.await;
        assert!(ledger.try_lock().is_ok());
    }
}
