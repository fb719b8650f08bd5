//! Wrong: a reader requests the write lock while it holds the read lock.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::RwLock, time::timeout};

// ANCHOR: wrong
/// The number of each customer.
struct Numbers {
    by_name: RwLock<HashMap<&'static str, usize>>,
}

impl Numbers {
    /// Wrong: `write` waits for all readers, and this task is a reader.
    async fn get(&self, name: &'static str) -> usize {
        let numbers = self.by_name.read().await;
        if let Some(number) = numbers.get(name) {
            return *number;
        }
        let next = numbers.len() + 1;
        self.by_name.write().await.insert(name, next);
        next
    }
}
// ANCHOR_END: wrong

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
            Err(_) => println!("{name}: deadlock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_the_same_lock() {
        let hour = Duration::from_secs(3600);
        let numbers = numbers();
        assert!(timeout(hour, numbers.get("Ada")).await.is_ok());
        assert!(timeout(hour, numbers.get("Grace")).await.is_err());
    }
}
