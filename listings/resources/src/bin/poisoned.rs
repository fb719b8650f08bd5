//! Wrong: after one panic under a std mutex, every later caller panics.

use std::sync::{Arc, Mutex};

// ANCHOR: wrong
struct Orders {
    totals: Mutex<Vec<u32>>,
}

impl Orders {
    /// Wrong: the computation under the lock can panic. From then on,
    /// `lock` returns an error, and `unwrap` panics for every caller.
    fn add(&self, price: u32, units: u32) -> usize {
        let mut totals = self.totals.lock().unwrap();
        totals.push(price.checked_mul(units).expect("a sane total"));
        totals.len()
    }
}
// ANCHOR_END: wrong

/// Three requests, each in its own task.
async fn three_requests() -> Vec<String> {
    let orders = Arc::new(Orders { totals: Mutex::default() });
    let mut answers = Vec::new();
    for (price, units) in [(12, 2), (u32::MAX, 2), (5, 1)] {
        let orders = Arc::clone(&orders);
        let request =
            tokio::spawn(async move { orders.add(price, units) });
        answers.push(match request.await {
            Ok(number) => format!("order {number} is there"),
            Err(_) => "status 500".to_owned(),
        });
    }
    answers
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for answer in three_requests().await {
        println!("{answer}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_of_one_request() {
        let answers = three_requests().await;
        assert_eq!(
            answers,
            ["order 1 is there", "status 500", "status 500"]
        );
    }
}
