//! Always acquire several locks in the same order.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: transfer
struct Account {
    /// Unique. Accounts are locked in the order of their numbers.
    number: u32,
    balance: Mutex<i64>,
}

/// Moves money, all of it or none. Locks the account with the smaller
/// number first. A transfer from an account to itself does nothing.
async fn transfer(from: &Account, to: &Account, amount: u32) {
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
    // No `.await` from here on.
    *source -= i64::from(amount);
    *target += i64::from(amount);
}
// ANCHOR_END: transfer

async fn check_limit(number: u32) {
    sleep(Duration::from_millis(10)).await;
    match number {
        13 => panic!("a bug in the limit of account 13"),
        99 => std::future::pending().await,
        _ => {}
    }
}

fn account(number: u32) -> Account {
    Account { number, balance: Mutex::new(100) }
}

/// There and back at the same time, in two tasks. Whether both are
/// done within an hour.
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
    use hazards::at_every_poll;

    use super::*;

    async fn balances(accounts: [&Account; 2]) -> [i64; 2] {
        let [a, b] = accounts;
        [*a.balance.lock().await, *b.balance.lock().await]
    }

    #[tokio::test(start_paused = true)]
    async fn overload_there_and_back() {
        let (a, b) = (Arc::new(account(1)), Arc::new(account(2)));
        assert!(there_and_back(&a, &b).await);
        assert_eq!(balances([&a, &b]).await, [80, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_moves_all_or_nothing() {
        at_every_poll(async |cancel| {
            let (a, b) = (account(1), account(2));
            let holder = b.balance.lock().await;
            let release = async {
                sleep(Duration::from_secs(1)).await;
                drop(holder);
            };
            let transfer = cancel.run(transfer(&a, &b, 30));
            let (moved, ()) = tokio::join!(biased; transfer, release);
            let expected = match moved {
                Some(()) => [70, 130],
                None => [100, 100],
            };
            assert_eq!(balances([&a, &b]).await, expected);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_to_itself_it_is_nothing() {
        let a = Arc::new(account(1));
        assert!(there_and_back(&a, &a).await);
        assert_eq!(*a.balance.lock().await, 100);
        let b = account(2);
        transfer(&a, &b, 0).await;
        transfer(&a, &b, u32::MAX).await;
        let sum: i64 = balances([&a, &b]).await.into_iter().sum();
        assert_eq!(sum, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_thousand_transfers() {
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

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_limit_holds_no_lock() {
        let (a, b) = (Arc::new(account(13)), Arc::new(account(2)));
        let task = (Arc::clone(&a), Arc::clone(&b));
        let panics = tokio::spawn(async move {
            transfer(&task.0, &task.1, 30).await;
        });
        assert!(panics.await.is_err());
        assert_eq!(balances([&a, &b]).await, [100, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_limit_holds_no_lock() {
        let (a, b) = (account(99), account(2));
        let transfer = transfer(&a, &b, 30);
        let hour = Duration::from_secs(3600);
        let mut silent = Box::pin(timeout(hour, transfer));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        assert_eq!(balances([&a, &b]).await, [100, 100]);
        assert!(silent.await.is_err());
        assert_eq!(balances([&a, &b]).await, [100, 100]);
    }
}
