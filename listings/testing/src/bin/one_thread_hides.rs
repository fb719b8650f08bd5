//! Wrong: a race that a test on one thread can't find.

use std::sync::{
    Barrier,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use tokio::{runtime::Handle, task::JoinSet};

// ANCHOR: wrong
/// Wrong: another thread may check between this check and the change.
fn take(stock: &AtomicU32, between: impl Fn()) -> bool {
    let left = stock.load(SeqCst);
    if left == 0 {
        return false;
    }
    between();
    stock.store(left - 1, SeqCst);
    true
}

/// Two buyers are two tasks on one thread, as in `#[tokio::test]`.
/// Without an `.await` after the check, they can't interleave.
async fn sold_by_two_tasks() -> usize {
    static STOCK: AtomicU32 = AtomicU32::new(0);
    STOCK.store(1, SeqCst);
    let mut buyers = JoinSet::new();
    for _ in 0..2 {
        buyers.spawn(async { take(&STOCK, || ()) });
    }
    let sold = buyers.join_all().await;
    sold.iter().filter(|sold| **sold).count()
}

/// On two threads, which wait for each other after the check.
fn sold_by_two_threads() -> usize {
    let (stock, both) = (AtomicU32::new(1), Barrier::new(2));
    let meet = || {
        both.wait();
    };
    let buy = || take(&stock, meet);
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(buy), scope.spawn(buy));
        (one.join(), other.join())
    });
    [one, other].iter().filter(|sold| matches!(sold, Ok(true))).count()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}:", Handle::current().runtime_flavor());
    let mut most = 0;
    for _ in 0..1000 {
        most = most.max(sold_by_two_tasks().await);
    }
    println!("in 1000 runs, sold of one: {most} at most");
    println!("two threads:");
    println!("sold of one: {}", sold_by_two_threads());
}

#[cfg(test)]
mod tests {
    use tokio::runtime::RuntimeFlavor;

    use super::*;

    #[tokio::test]
    async fn a_test_has_one_thread() {
        let flavor = Handle::current().runtime_flavor();
        assert_eq!(flavor, RuntimeFlavor::CurrentThread);
        assert_eq!(sold_by_two_tasks().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn unless_it_asks_for_more() {
        let flavor = Handle::current().runtime_flavor();
        assert_eq!(flavor, RuntimeFlavor::MultiThread);
    }

    #[test]
    fn threads_and_how_often_it_is_sold() {
        assert_eq!(sold_by_two_threads(), 2);
    }
}
