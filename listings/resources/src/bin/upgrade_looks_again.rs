//! Read, let go, lock for writing, and look again.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::RwLock, time::timeout};

// ANCHOR: numbers
/// The number of each customer.
struct Numbers {
    by_name: RwLock<HashMap<&'static str, usize>>,
}

impl Numbers {
    async fn get(&self, name: &'static str) -> usize {
        let known = self.by_name.read().await.get(name).copied();
        if let Some(number) = known {
            return number;
        }
        // Between the two locks, another task may have been here.
        let mut numbers = self.by_name.write().await;
        let next = numbers.len() + 1;
        *numbers.entry(name).or_insert(next)
    }
}
// ANCHOR_END: numbers

fn numbers() -> Numbers {
    Numbers { by_name: RwLock::new(HashMap::from([("Ada", 1)])) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let numbers = numbers();
    let hour = Duration::from_secs(3600);
    for name in ["Ada", "Grace"] {
        match timeout(hour, numbers.get(name)).await {
            Ok(number) => println!("{name}: {number}"),
            Err(_) => println!("{name}: waited for itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn two_that_both_read_get_the_same_number() {
        let numbers = numbers();
        let reading = numbers.by_name.read().await;
        let mut one = Box::pin(numbers.get("Grace"));
        let mut other = Box::pin(numbers.get("Grace"));
        // Both have found nothing, and wait to write.
        assert!(futures::poll!(one.as_mut()).is_pending());
        assert!(futures::poll!(other.as_mut()).is_pending());
        drop(reading);
        assert_eq!(tokio::join!(one, other), (2, 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() {
        let numbers = Arc::new(numbers());
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let numbers = Arc::clone(&numbers);
            tasks.spawn(async move { numbers.get("Grace").await });
        }
        assert_eq!(tasks.join_all().await, [2; 100]);
    }
}
