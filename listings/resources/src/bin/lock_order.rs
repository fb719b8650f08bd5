//! Wrong: two tasks take two locks, in different orders.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: wrong
struct Account {
    number: u32,
    balance: Mutex<i64>,
}

/// Wrong: `from` is locked first, so opposite transfers deadlock.
async fn transfer(from: &Account, to: &Account, amount: i64) {
    let mut source = from.balance.lock().await;
    check_limit(from.number).await;
    let mut target = to.balance.lock().await;
    *source -= amount;
    *target += amount;
}
// ANCHOR_END: wrong

async fn check_limit(_number: u32) {
    sleep(Duration::from_millis(10)).await;
}

fn account(number: u32) -> Account {
    Account { number, balance: Mutex::new(100) }
}

/// There and back at the same time, in two tasks. Whether both
/// are done within an hour.
async fn there_and_back(a: &Arc<Account>, b: &Arc<Account>) -> bool {
    let mut transfers = JoinSet::new();
    for (from, to, amount) in [(a, b, 30), (b, a, 10)] {
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        transfers.spawn(async move {
            transfer(&from, &to, amount).await;
        });
    }
    let hour = Duration::from_secs(3600);
    timeout(hour, transfers.join_all()).await.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (a, b) = (Arc::new(account(1)), Arc::new(account(2)));
    match there_and_back(&a, &b).await {
        true => println!("both transfers are done"),
        false => println!("each waits for the other, for an hour"),
    }
    let balances = (a.balance.lock().await, b.balance.lock().await);
    println!("balances: {balances:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_there_and_back() {
        let (a, b) = (Arc::new(account(1)), Arc::new(account(2)));
        assert!(!there_and_back(&a, &b).await);
        assert_eq!(*a.balance.lock().await, 100);
    }
}
