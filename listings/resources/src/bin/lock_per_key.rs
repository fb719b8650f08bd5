//! A lock for each key: those who want the same one take turns.

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
    /// Waits until nobody has the lock of this account. Cancel safe,
    /// but for the place in line.
    async fn lock(&self, account: u32) -> OwnedMutexGuard<()> {
        self.of(account).lock_owned().await
    }

    fn of(&self, account: u32) -> Arc<KeyLock> {
        let mut locks = self.by_account.lock().expect("no panic");
        if let Some(lock) = locks.get(&account).and_then(Weak::upgrade)
        {
            return lock;
        }
        // Those that nobody holds or waits for are forgotten.
        locks.retain(|_, lock| lock.strong_count() > 0);
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

/// Books on these accounts at once. Returns who was done when.
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_same_key_waits() {
        let millis = Duration::from_millis;
        let mut done = book([1, 1, 2]).await;
        done.sort();
        let expected = [(1, millis(100)), (1, millis(200))];
        assert_eq!(done[..2], expected);
        assert_eq!(done[2], (2, millis(100)));
    }

    #[tokio::test]
    async fn what_nobody_uses_is_forgotten() {
        let locks = Locks::default();
        for account in 0..1000 {
            drop(locks.lock(account).await);
        }
        let kept = locks.by_account.lock().expect("no panic").len();
        assert_eq!(kept, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn two_never_hold_the_same() {
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
