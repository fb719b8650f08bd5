//! What is under the lock takes the data, and not the lock.

use std::time::Duration;

use tokio::{sync::Mutex, time::timeout};

// ANCHOR: account
struct Account {
    entries: Mutex<Vec<i64>>,
}

impl Account {
    async fn balance(&self) -> i64 {
        balance(&self.entries.lock().await)
    }

    async fn withdraw(&self, amount: i64) -> bool {
        let mut entries = self.entries.lock().await;
        if balance(&entries) < amount {
            return false;
        }
        entries.push(-amount);
        true
    }
}

/// Whoever calls it has the lock, for it has the entries.
fn balance(entries: &[i64]) -> i64 {
    entries.iter().sum()
}
// ANCHOR_END: account

fn account() -> Account {
    Account { entries: Mutex::new(vec![100]) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let hour = Duration::from_secs(3600);
    let account = account();
    match timeout(hour, account.withdraw(70)).await {
        Ok(is_paid) => println!("paid: {is_paid}"),
        Err(_) => println!("it waited for itself, for an hour"),
    }
    println!("left: {}", account.balance().await);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_paid_twice() {
        let account = Arc::new(account());
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let account = Arc::clone(&account);
            tasks.spawn(async move { account.withdraw(30).await });
        }
        let paid = tasks.join_all().await;
        assert_eq!(paid.into_iter().filter(|paid| *paid).count(), 3);
        assert_eq!(account.balance().await, 10);
    }
}
