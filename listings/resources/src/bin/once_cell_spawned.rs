//! What runs once is a task, and callers wait for its result.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: customer
use futures::future::{BoxFuture, FutureExt, Shared, TryFutureExt};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

type Opening = Shared<BoxFuture<'static, Result<u32, Arc<JoinError>>>>;

struct Customer {
    opening: Opening,
}

impl Customer {
    /// Opens the account in a task, which ends with the customer.
    fn new(bank: &Arc<Bank>) -> Self {
        let bank = Arc::clone(bank);
        let open = async move { bank.open_account().await };
        let task = AbortOnDropHandle::new(tokio::spawn(open));
        Self { opening: task.map_err(Arc::new).boxed().shared() }
    }

    /// Cancel safe: the task goes on.
    async fn account(&self) -> Result<u32, Arc<JoinError>> {
        self.opening.clone().await
    }
}
// ANCHOR_END: customer

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
async fn two_callers() -> Result<(u32, u32), Arc<JoinError>> {
    let bank = Arc::default();
    let customer = Customer::new(&bank);
    let patience = Duration::from_millis(50);
    if timeout(patience, customer.account()).await.is_err() {
        println!("the first caller gave up");
    }
    let account = customer.account().await?;
    Ok((account, bank.accounts.load(Ordering::Relaxed)))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Arc<JoinError>> {
    let (account, accounts) = two_callers().await?;
    println!("the second got account {account} of {accounts}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_one() -> Result<(), Arc<JoinError>> {
        assert_eq!(two_callers().await?, (1, 1));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() -> Result<(), Arc<JoinError>> {
        assert_eq!(two_callers().await?, (1, 1));
        Ok(())
    }
}
