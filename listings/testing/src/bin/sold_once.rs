//! Check and change the stock in one atomic step.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

// ANCHOR: take
/// Returns whether one was left. Calls the closure again if another
/// thread has changed the stock in the meantime.
fn take(stock: &AtomicU32) -> bool {
    stock
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}
// ANCHOR_END: take

/// Returns how many of the threads get one of the items left.
fn sold_by_threads(left: u32, threads: usize) -> usize {
    let stock = AtomicU32::new(left);
    std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| take(&stock)))
            .collect();
        let sold = buyers.into_iter().map(|buyer| buyer.join());
        sold.filter(|sold| matches!(sold, Ok(true))).count()
    })
}

fn main() {
    let sold = (0..1000).map(|_| sold_by_threads(1, 2));
    let most = sold.max().unwrap_or_default();
    println!("in 1000 runs, sold of one: {most} at most");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_how_often_it_is_sold() {
        for _ in 0..1000 {
            assert_eq!(sold_by_threads(1, 2), 1);
        }
    }

    #[test]
    fn overload_more_buyers_than_stock() {
        for _ in 0..100 {
            assert_eq!(sold_by_threads(3, 8), 3);
        }
    }

    #[test]
    fn edges_of_the_stock() {
        let none = AtomicU32::new(0);
        assert!(!take(&none));
        assert_eq!(none.load(SeqCst), 0);
        let most = AtomicU32::new(u32::MAX);
        assert!(take(&most));
        assert_eq!(most.load(SeqCst), u32::MAX - 1);
    }
}
