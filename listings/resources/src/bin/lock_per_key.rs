//! One lock per key: only callers with the same key wait for each other.

// ANCHOR: locks
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::OwnedMutexGuard;

type KeyLock = tokio::sync::Mutex<()>;

#[derive(Default)]
struct Locks {
    by_account: Mutex<HashMap<u32, Weak<KeyLock>>>,
}

impl Locks {
    /// Waits until the lock of this account is free. On
    /// cancellation, the caller loses its place in the queue.
    async fn lock(&self, account: u32) -> OwnedMutexGuard<()> {
        self.of(account).lock_owned().await
    }

    fn of(&self, account: u32) -> Arc<KeyLock> {
        let mut locks = self.by_account.lock().expect("no panic");
        if let Some(lock) = locks.get(&account).and_then(Weak::upgrade)
        {
            return lock;
        }
        // Before the map would grow, forget the unused locks. Most
        // calls look at one entry only.
        if locks.len() == locks.capacity() {
            locks.retain(|_, lock| lock.strong_count() > 0);
            let used = locks.len();
            locks.reserve(used);
        }
        let lock = Arc::new(KeyLock::default());
        locks.insert(account, Arc::downgrade(&lock));
        lock
    }
}
// ANCHOR_END: locks

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// Books on these accounts at the same time. Returns which booking was
/// done when.
async fn book(accounts: [u32; 3]) -> Vec<(u32, Duration)> {
    let (locks, start) = (Arc::new(Locks::default()), Instant::now());
    let mut bookings = JoinSet::new();
    for account in accounts {
        let locks = Arc::clone(&locks);
        bookings.spawn(async move {
            let _guard = locks.lock(account).await;
            sleep(Duration::from_millis(100)).await;
            (account, start.elapsed())
        });
    }
    bookings.join_all().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (account, time) in book([1, 1, 2]).await {
        println!("account {account}: done after {time:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicU32, Ordering},
    };

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_bookings_hold_up_the_same_key_only() {
        let millis = Duration::from_millis;
        let mut done = book([1, 1, 2]).await;
        done.sort();
        let expected = [(1, millis(100)), (1, millis(200))];
        assert_eq!(done[..2], expected);
        assert_eq!(done[2], (2, millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_lock_to_the_next() {
        at_every_poll(async |cancel| {
            let locks = Locks::default();
            let holder = locks.lock(7).await;
            let lock = cancel.run(async { drop(locks.lock(7).await) });
            let release = async { drop(holder) };
            tokio::join!(biased; lock, release);
            drop(within(HOUR, locks.lock(7)).await);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_holder_frees_its_key() {
        let locks = Arc::new(Locks::default());
        let task = Arc::clone(&locks);
        let panics = tokio::spawn(async move {
            let _guard = task.lock(7).await;
            panic!("a bug in the booking");
        });
        assert!(panics.await.is_err());
        drop(within(HOUR, locks.lock(7)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_holder_holds_up_its_key_only() {
        let locks = Arc::new(Locks::default());
        let task = Arc::clone(&locks);
        let mut holders = JoinSet::new();
        holders.spawn(async move {
            let _guard = task.lock(7).await;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        drop(within(HOUR, locks.lock(8)).await);
        let held = tokio::time::timeout(HOUR, locks.lock(7)).await;
        assert!(held.is_err());
    }

    #[tokio::test]
    async fn edges_of_many_keys() {
        let locks = Locks::default();
        for account in 0..10_000 {
            drop(locks.lock(account).await);
        }
        let kept = locks.by_account.lock().expect("no panic").len();
        assert!(kept < 10, "{kept} unused locks");
        let mut held = Vec::new();
        for account in 0..1000 {
            held.push(locks.lock(account).await);
        }
        drop(locks.lock(u32::MAX).await);
        assert!(locks.of(7).try_lock().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_never_hold_the_same() {
        let locks = Arc::new(Locks::default());
        let holders: Arc<[AtomicU32; 3]> = Arc::default();
        let mut tasks = JoinSet::new();
        for number in 0..300 {
            let locks = Arc::clone(&locks);
            let holders = Arc::clone(&holders);
            tasks.spawn(async move {
                let account = number % 3;
                let _guard = locks.lock(account).await;
                let holder = &holders[account as usize];
                assert_eq!(holder.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                holder.fetch_sub(1, Ordering::SeqCst);
            });
        }
        tasks.join_all().await;
    }
}
