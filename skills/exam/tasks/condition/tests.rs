//! A change at an inconvenient moment.

use super::solution::Condition;
use futures::poll;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

exam::tests! {
    paused all_who_wait_are_woken,
    paused a_change_before_the_wait_counts,
    paused a_change_during_the_predicate_counts,
    paused a_canceled_wait_takes_nothing_away,
    paused an_idle_wait_does_not_poll,
}

async fn all_who_wait_are_woken() {
    let (condition, count) = (Arc::new(Condition::default()), Arc::new(AtomicU32::new(0)));
    let mut waiting = JoinSet::new();
    for least in 0..100 {
        let (condition, count) = (condition.clone(), count.clone());
        waiting.spawn(async move {
            condition.wait_until(|| count.load(Ordering::SeqCst) > least).await;
        });
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
        count.fetch_add(10, Ordering::SeqCst);
        condition.notify();
    }
    assert_eq!(waiting.join_all().await.len(), 100);
}

async fn a_change_before_the_wait_counts() {
    let condition = Condition::default();
    condition.notify();
    condition.wait_until(|| true).await;
}

async fn a_change_during_the_predicate_counts() {
    let (condition, is_set) = (Condition::default(), AtomicBool::new(false));
    // Another thread could do this at the same moment.
    let reads_then_changes = || {
        let before = is_set.swap(true, Ordering::SeqCst);
        condition.notify();
        before
    };
    condition.wait_until(reads_then_changes).await;
}

async fn a_canceled_wait_takes_nothing_away() {
    let (condition, is_set) = (Condition::default(), AtomicBool::new(false));
    let read = || is_set.load(Ordering::SeqCst);
    let mut canceled = Box::pin(condition.wait_until(read));
    let mut other = Box::pin(condition.wait_until(read));
    assert!(poll!(canceled.as_mut()).is_pending());
    assert!(poll!(other.as_mut()).is_pending());
    is_set.store(true, Ordering::SeqCst);
    condition.notify();
    drop(canceled);
    other.await;
}

async fn an_idle_wait_does_not_poll() {
    let (condition, calls) = (Condition::default(), AtomicU32::new(0));
    let wait = condition.wait_until(|| {
        calls.fetch_add(1, Ordering::SeqCst);
        false
    });
    tokio::select! {
        () = wait => panic!("the predicate is false"),
        () = sleep(Duration::from_secs(60)) => {}
    }
    let calls = calls.into_inner();
    assert!(calls < 5, "the predicate ran {calls} times, and nothing changed");
}
