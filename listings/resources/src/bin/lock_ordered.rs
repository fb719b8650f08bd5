//! Several locks are taken in one order, whoever takes them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: transfer
struct Account {
    number: u32,
    balance: Mutex<i64>,
}

/// Locks the one with the smaller number first.
async fn transfer(from: &Account, to: &Account, amount: i64) {
    if from.number == to.number {
        return;
    }
    check_limit(from.number).await;
    let (mut source, mut target);
    if from.number < to.number {
        source = from.balance.lock().await;
        target = to.balance.lock().await;
    } else {
        target = to.balance.lock().await;
        source = from.balance.lock().await;
    }
    *source -= amount;
    *target += amount;
}
// ANCHOR_END: transfer

async fn check_limit(_number: u32) {
    sleep(Duration::from_millis(10)).await;
}

fn account(number: u32) -> Account {
    Account { number, balance: Mutex::new(100) }
}

/// There and back at once, in two tasks. Whether both ended.
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
    async fn both_are_done() {
        let (a, b) = (Arc::new(account(1)), Arc::new(account(2)));
        assert!(there_and_back(&a, &b).await);
        assert_eq!(*a.balance.lock().await, 80);
        assert_eq!(*b.balance.lock().await, 120);
    }

    #[tokio::test(start_paused = true)]
    async fn to_itself_it_is_nothing() {
        let a = Arc::new(account(1));
        assert!(there_and_back(&a, &a).await);
        assert_eq!(*a.balance.lock().await, 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_thousand_at_once() {
        let accounts: Arc<Vec<_>> =
            Arc::new((0..5).map(account).collect());
        let mut tasks = JoinSet::new();
        for number in 0..1000 {
            let accounts = Arc::clone(&accounts);
            tasks.spawn(async move {
                let (from, to) = (number % 5, number / 5 % 5);
                transfer(&accounts[from], &accounts[to], 1).await;
            });
        }
        tasks.join_all().await;
        let mut sum = 0;
        for account in accounts.iter() {
            sum += *account.balance.lock().await;
        }
        assert_eq!(sum, 500);
    }
}
