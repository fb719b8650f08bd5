//! Read, unlock, lock for writing, and check again.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::RwLock, time::timeout};

// ANCHOR: numbers
/// The number of each customer. No number is given out twice, even if
/// customers are removed.
struct Numbers {
    customers: RwLock<Customers>,
}

struct Customers {
    by_name: HashMap<&'static str, usize>,
    next: usize,
}

impl Numbers {
    /// Returns a customer's number, and assigns one to a new customer.
    async fn get(&self, name: &'static str) -> usize {
        let customers = self.customers.read().await;
        let known = customers.by_name.get(name).copied();
        drop(customers);
        if let Some(number) = known {
            return number;
        }
        let mut customers = self.customers.write().await;
        // Between the two locks, another task may have been here.
        let Customers { by_name, next } = &mut *customers;
        *by_name.entry(name).or_insert_with(|| {
            *next += 1;
            *next - 1
        })
    }
}
// ANCHOR_END: numbers

fn numbers() -> Numbers {
    let by_name = HashMap::from([("Ada", 1)]);
    Numbers { customers: Customers { by_name, next: 2 }.into() }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let numbers = numbers();
    let hour = Duration::from_secs(3600);
    for name in ["Ada", "Grace"] {
        match timeout(hour, numbers.get(name)).await {
            Ok(number) => println!("{name}: {number}"),
            Err(_) => println!("{name}: deadlock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_the_same_lock() {
        let numbers = numbers();
        assert_eq!(within(HOUR, numbers.get("Ada")).await, 1);
        assert_eq!(within(HOUR, numbers.get("Grace")).await, 2);
        assert_eq!(within(HOUR, numbers.get("Grace")).await, 2);
    }

    #[tokio::test]
    async fn overload_two_that_both_read_get_the_same_number() {
        let numbers = numbers();
        let writing = numbers.customers.write().await;
        let mut one = Box::pin(numbers.get("Grace"));
        let mut other = Box::pin(numbers.get("Grace"));
        assert!(futures::poll!(one.as_mut()).is_pending());
        assert!(futures::poll!(other.as_mut()).is_pending());
        drop(writing);
        // Now both may read. The first one finds nothing, and waits to
        // write until the other one has read as well.
        assert!(futures::poll!(one.as_mut()).is_pending());
        assert!(futures::poll!(other.as_mut()).is_pending());
        assert_eq!(tokio::join!(one, other), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_out_no_number_twice() {
        at_every_poll(async |cancel| {
            let numbers = numbers();
            let reading = numbers.customers.read().await;
            let get = cancel.run(numbers.get("Grace"));
            let release = async { drop(reading) };
            tokio::join!(biased; get, release);
            let grace = within(HOUR, numbers.get("Grace")).await;
            let alan = within(HOUR, numbers.get("Alan")).await;
            assert_eq!((grace, alan), (2, 3));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_the_same_number() {
        let numbers = Arc::new(numbers());
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let numbers = Arc::clone(&numbers);
            tasks.spawn(async move { numbers.get("Grace").await });
        }
        assert_eq!(tasks.join_all().await, [2; 100]);
    }

    #[tokio::test]
    async fn edges_after_a_deletion() {
        let numbers = numbers();
        assert_eq!(numbers.get("Jörg").await, 2);
        numbers.customers.write().await.by_name.remove("Ada");
        assert_eq!(numbers.get("").await, 3);
        assert_eq!(numbers.get("Ada").await, 4);
    }
}
