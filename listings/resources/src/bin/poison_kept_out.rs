//! What can fail comes first, and the lock is for one step.

use std::sync::{Arc, Mutex};

// ANCHOR: orders
use std::sync::PoisonError;

struct Orders {
    totals: Mutex<Vec<u32>>,
}

impl Orders {
    /// The total, or that it is none: before the lock. Under the lock
    /// is one step, so the list is whole even after a panic.
    fn add(&self, price: u32, units: u32) -> Option<usize> {
        let total = price.checked_mul(units)?;
        let mut totals =
            self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.push(total);
        Some(totals.len())
    }
}
// ANCHOR_END: orders

/// Three requests, each in a task of its own.
async fn three_requests(orders: Arc<Orders>) -> Vec<String> {
    let mut told = Vec::new();
    for (price, units) in [(12, 2), (u32::MAX, 2), (5, 1)] {
        let orders = Arc::clone(&orders);
        let request =
            tokio::spawn(async move { orders.add(price, units) });
        told.push(match request.await {
            Ok(Some(number)) => format!("order {number} is there"),
            Ok(None) => "status 400".to_owned(),
            Err(_) => "status 500".to_owned(),
        });
    }
    told
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = Arc::new(Orders { totals: Mutex::default() });
    for told in three_requests(orders).await {
        println!("{told}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_others_go_on() {
        let orders = Arc::new(Orders { totals: Mutex::default() });
        let told = three_requests(orders).await;
        assert_eq!(
            told,
            ["order 1 is there", "status 400", "order 2 is there"]
        );
    }

    #[tokio::test]
    async fn after_a_panic_it_goes_on_as_well() {
        let orders = Arc::new(Orders { totals: Mutex::default() });
        let other = Arc::clone(&orders);
        let panics = tokio::spawn(async move {
            let _guard = other.totals.lock();
            panic!("a bug");
        });
        assert!(panics.await.is_err());
        assert!(orders.totals.is_poisoned());
        assert_eq!(orders.add(12, 2), Some(1));
    }
}
