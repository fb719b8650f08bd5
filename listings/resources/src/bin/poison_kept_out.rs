//! Do everything that can fail before you lock.

use std::sync::{Arc, Mutex};

// ANCHOR: orders
use std::sync::PoisonError;

struct Orders {
    totals: Mutex<Vec<u32>>,
}

impl Orders {
    /// Returns the order's number, or `None` if its total is too large,
    /// which is checked before the lock. Only one step is under the
    /// lock, so a panic can't leave half a change.
    fn add(&self, price: u32, units: u32) -> Option<usize> {
        let total = price.checked_mul(units)?;
        let mut totals =
            self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.push(total);
        Some(totals.len())
    }
}
// ANCHOR_END: orders

/// Three requests, each in its own task.
async fn three_requests(orders: Arc<Orders>) -> Vec<String> {
    let mut answers = Vec::new();
    for (price, units) in [(12, 2), (u32::MAX, 2), (5, 1)] {
        let orders = Arc::clone(&orders);
        let request =
            tokio::spawn(async move { orders.add(price, units) });
        answers.push(match request.await {
            Ok(Some(number)) => format!("order {number} is there"),
            Ok(None) => "status 400".to_owned(),
            Err(_) => "status 500".to_owned(),
        });
    }
    answers
}

fn orders() -> Arc<Orders> {
    Arc::new(Orders { totals: Mutex::default() })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for answer in three_requests(orders()).await {
        println!("{answer}");
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn panic_of_one_request() {
        let answers = three_requests(orders()).await;
        let last = answers.last().expect("there are three");
        assert_eq!(last, "order 2 is there");
    }

    #[tokio::test]
    async fn panic_under_the_lock_leaves_the_others() {
        let orders = orders();
        let other = Arc::clone(&orders);
        let panics = tokio::spawn(async move {
            let _guard = other.totals.lock();
            panic!("a bug");
        });
        assert!(panics.await.is_err());
        assert!(orders.totals.is_poisoned());
        assert_eq!(orders.add(12, 2), Some(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_different_numbers() {
        let orders = orders();
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let orders = Arc::clone(&orders);
            tasks.spawn(async move { orders.add(12, 2) });
        }
        let mut numbers: Vec<_> =
            tasks.join_all().await.into_iter().flatten().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(1..=100));
    }

    #[test]
    fn edges_of_a_total() {
        let orders = orders();
        assert_eq!(orders.add(u32::MAX, 2), None);
        assert_eq!(orders.add(u32::MAX, 1), Some(1));
        assert_eq!(orders.add(0, 0), Some(2));
    }
}
