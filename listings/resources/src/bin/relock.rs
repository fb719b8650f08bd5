//! Wrong: a method that holds the lock calls another method that locks.

use std::time::Duration;

use tokio::{sync::Mutex, time::timeout};

// ANCHOR: wrong
struct Account {
    entries: Mutex<Vec<i64>>,
}

impl Account {
    async fn balance(&self) -> i64 {
        self.entries.lock().await.iter().sum()
    }

    /// Wrong: `balance` waits for the lock that is held here.
    async fn withdraw(&self, amount: i64) -> bool {
        let mut entries = self.entries.lock().await;
        if self.balance().await < amount {
            return false;
        }
        entries.push(-amount);
        true
    }
}
// ANCHOR_END: wrong

fn account() -> Account {
    Account { entries: Mutex::new(vec![100]) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let hour = Duration::from_secs(3600);
    match timeout(hour, account().withdraw(70)).await {
        Ok(is_paid) => println!("paid: {is_paid}"),
        Err(_) => println!("deadlock: it waited for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_the_same_lock() {
        let hour = Duration::from_secs(3600);
        let account = account();
        assert!(timeout(hour, account.withdraw(70)).await.is_err());
        assert_eq!(account.balance().await, 100);
    }
}
