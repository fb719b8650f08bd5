//! Locks, semaphores, and other things that one waits for.

use crate::row::{agrees, drop_pending};
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce,
};
use tokio::task::yield_now;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Drops a first wait; a second one comes before one that asks again.
macro_rules! loses_its_place {
    ($wait:expr, $free:expr) => {{
        let mut second = pin!($wait);
        {
            let mut first = pin!($wait);
            assert!(futures::poll!(first.as_mut()).is_pending());
            assert!(futures::poll!(second.as_mut()).is_pending());
        }
        let mut again = pin!($wait);
        assert!(futures::poll!(again.as_mut()).is_pending());
        $free;
        assert!(futures::poll!(again.as_mut()).is_pending());
        drop(second.await);
        drop(again.await);
    }};
}

#[tokio::test]
async fn mutex_lock() {
    let lock = Mutex::new(0);
    let guard = lock.lock().await;
    loses_its_place!(lock.lock(), drop(guard));
    let owned = std::sync::Arc::new(Mutex::new(0));
    let guard = owned.lock().await;
    drop_pending!(std::sync::Arc::clone(&owned).lock_owned());
    drop(guard);
    assert!(owned.try_lock().is_ok());
    agrees("mutex_lock", "place_only", "the position in the queue");
}

#[tokio::test]
async fn rw_lock() {
    let lock = RwLock::new(0);
    let guard = lock.write().await;
    loses_its_place!(lock.write(), drop(guard));
    let guard = lock.write().await;
    drop_pending!(lock.read());
    drop(guard);
    assert_eq!(*lock.read().await, 0);
    agrees("rw_lock", "place_only", "the position in the queue");
}

#[tokio::test]
async fn semaphore_acquire() {
    let permits = Semaphore::new(1);
    let permit = permits.acquire().await.expect("it is open");
    loses_its_place!(permits.acquire(), drop(permit));
    let permit = permits.acquire().await.expect("it is open");
    drop_pending!(permits.acquire_many(1));
    drop(permit);
    assert_eq!(permits.available_permits(), 1);
    agrees("semaphore_acquire", "place_only", "the position in the queue");
}

#[tokio::test]
async fn notify_notified() {
    let notify = Notify::new();
    let mut second = pin!(notify.notified());
    {
        let mut first = pin!(notify.notified());
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert!(futures::poll!(second.as_mut()).is_pending());
        notify.notify_one();
        // The first one has it, and is dropped without being polled.
    }
    assert!(futures::poll!(second.as_mut()).is_ready());
    agrees("notify_notified", "place_only", "the position in the queue");
}

#[tokio::test(start_paused = true)]
async fn notify_waiters() {
    let notify = Notify::new();
    drop_pending!(notify.notified());
    notify.notify_waiters();
    let mut again = pin!(notify.notified());
    assert!(futures::poll!(again.as_mut()).is_pending());

    // Created before: it hears what comes before its first poll.
    let mut created = pin!(notify.notified());
    notify.notify_waiters();
    assert!(futures::poll!(created.as_mut()).is_ready());

    // So does a loop: its other arm waits when the wake-up comes.
    let bell = std::sync::Arc::new(Notify::new());
    let rings = std::sync::Arc::clone(&bell);
    tokio::spawn(async move {
        sleep(Duration::from_millis(15)).await;
        rings.notify_waiters();
    });
    let mut tick = interval(Duration::from_millis(10));
    let heard = async {
        loop {
            tokio::select! {
                () = bell.notified() => return,
                _ = tick.tick() => sleep(Duration::from_millis(8)).await,
            }
        }
    };
    let minute = Duration::from_secs(60);
    assert!(timeout(minute, heard).await.is_err());
    agrees(
        "notify_waiters",
        "not_safe",
        "a wakeup that comes between two calls",
    );
}

#[tokio::test]
async fn barrier_wait() {
    let barrier = Barrier::new(2);
    drop_pending!(barrier.wait());
    // Alone, and let through: the dropped one counts.
    let mut alone = pin!(barrier.wait());
    assert!(futures::poll!(alone.as_mut()).is_ready());
    agrees(
        "barrier_wait",
        "not_safe",
        "the count, because the dropped call is still counted",
    );
}

#[tokio::test]
async fn once_cell() {
    let (cell, begun) = (OnceCell::new(), Cell::new(0));
    let init = async || {
        begun.set(begun.get() + 1);
        yield_now().await;
        7
    };
    drop_pending!(cell.get_or_init(&init));
    assert_eq!(*cell.get_or_init(&init).await, 7);
    assert_eq!(begun.get(), 2);
    agrees(
        "once_cell",
        "not_safe",
        "the work so far, because the next caller starts again",
    );
}

#[tokio::test]
async fn set_once() {
    let ready = SetOnce::new();
    drop_pending!(ready.wait());
    ready.set(7).expect("it is set once");
    assert_eq!(*ready.wait().await, 7);
    agrees("set_once", "safe", "nothing");
}

#[tokio::test]
async fn cancelled() {
    let token = CancellationToken::new();
    drop_pending!(token.cancelled());
    token.cancel();
    token.cancelled().await;
    agrees("cancelled", "safe", "nothing");
}

#[tokio::test]
async fn run_until_cancelled() {
    let (token, steps) = (CancellationToken::new(), Cell::new(0));
    let work = || async {
        yield_now().await;
        steps.set(1);
    };
    drop_pending!(token.run_until_cancelled(work()));
    yield_now().await;
    assert_eq!(steps.get(), 0);
    agrees(
        "run_until_cancelled",
        "as_inner",
        "whatever the inner future loses",
    );
}

#[tokio::test]
async fn section_under_lock() {
    let balance = Mutex::new((100, 0));
    let transfer = || async {
        let mut accounts = balance.lock().await;
        accounts.0 -= 10;
        yield_now().await;
        accounts.1 += 10;
    };
    drop_pending!(transfer());
    assert_eq!(*balance.lock().await, (90, 0));
    agrees(
        "section_under_lock",
        "not_safe",
        "the steps after the `.await`",
    );
}
