//! Wrong: one-time work runs twice if the first caller gives up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
use tokio::sync::OnceCell;

struct Customer {
    bank: Arc<Bank>,
    account: OnceCell<u32>,
}

impl Customer {
    /// Wrong: if this is canceled, the next call opens another one.
    async fn account(&self) -> u32 {
        let open = || self.bank.open_account();
        *self.account.get_or_init(open).await
    }
}
// ANCHOR_END: wrong

impl Customer {
    fn new(bank: &Arc<Bank>) -> Self {
        Self { bank: Arc::clone(bank), account: OnceCell::new() }
    }
}

#[derive(Default)]
struct Bank {
    accounts: AtomicU32,
}

impl Bank {
    async fn open_account(&self) -> u32 {
        let number = 1 + self.accounts.fetch_add(1, Ordering::Relaxed);
        // On the way back to the caller.
        sleep(Duration::from_millis(100)).await;
        number
    }
}

/// The first caller gives up. What does the second get, and how many
/// accounts are there?
async fn two_callers() -> (u32, u32) {
    let bank = Arc::default();
    let customer = Customer::new(&bank);
    let patience = Duration::from_millis(50);
    if timeout(patience, customer.account()).await.is_err() {
        println!("the first caller gave up");
    }
    let account = customer.account().await;
    (account, bank.accounts.load(Ordering::Relaxed))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (account, accounts) = two_callers().await;
    println!("the second caller got account {account} of {accounts}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_first_caller() {
        assert_eq!(two_callers().await, (2, 2));
    }
}
