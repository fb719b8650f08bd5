//! Functions that run under the lock get the data, not the lock.

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

    /// Whether there was enough. If not, nothing has changed.
    async fn withdraw(&self, amount: u32) -> bool {
        let amount = i64::from(amount);
        let mut entries = self.entries.lock().await;
        if balance(&entries) < amount {
            return false;
        }
        entries.push(-amount);
        true
    }
}

/// The caller has the entries, so it has the lock already.
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
        Err(_) => println!("deadlock: it waited for an hour"),
    }
    println!("left: {}", account.balance().await);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_the_same_lock() {
        let account = account();
        assert!(within(HOUR, account.withdraw(70)).await);
        assert_eq!(account.balance().await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_pays_all_or_nothing() {
        at_every_poll(async |cancel| {
            let account = account();
            let holder = account.entries.lock().await;
            let paid = async {
                let pay = cancel.run(account.withdraw(70));
                tokio::join!(biased; pay, async { drop(holder) }).0
            };
            let left = if paid.await.is_some() { 30 } else { 100 };
            let balance = within(HOUR, account.balance()).await;
            assert_eq!(balance, left);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_pay_nothing_twice() {
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

    #[tokio::test]
    async fn edges_of_an_amount() {
        let account = account();
        assert!(!account.withdraw(u32::MAX).await);
        assert!(!account.withdraw(101).await);
        assert!(account.withdraw(100).await);
        assert!(account.withdraw(0).await);
        assert_eq!(account.balance().await, 0);
    }
}
