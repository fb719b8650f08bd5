//! Work that must run once is a task, and callers wait for its result.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::sleep;

// ANCHOR: customer
use std::{sync::OnceLock, time::Duration};

use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

type Opening = Shared<BoxFuture<'static, Result<u32, OpenError>>>;

struct Customer {
    bank: Arc<Bank>,
    /// The service's tracker: shutdown waits for its tasks.
    tasks: TaskTracker,
    opening: OnceLock<Opening>,
}

impl Customer {
    /// The first call opens the account in a task. It's opened once,
    /// even if all callers and this customer are dropped. An error is
    /// kept, because the bank may have opened the account anyway.
    async fn account(&self) -> Result<u32, OpenError> {
        self.opening.get_or_init(|| self.open()).clone().await
    }

    fn open(&self) -> Opening {
        let bank = Arc::clone(&self.bank);
        let open = async move { bank.open_account().await };
        let open = timeout(Duration::from_secs(10), open);
        let task = self.tasks.spawn(open);
        let opening = async move {
            match task.await {
                Ok(Ok(opened)) => opened,
                Ok(Err(_)) => Err(OpenError::TimedOut),
                Err(error) => Err(OpenError::Lost(error.to_string())),
            }
        };
        opening.boxed().shared()
    }
}
// ANCHOR_END: customer

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum OpenError {
    #[error("the bank refuses")]
    Refused,
    #[error("the bank doesn't answer")]
    TimedOut,
    /// A panic, or the runtime is shutting down.
    #[error("cannot open the account: {0}")]
    Lost(String),
}

#[derive(Default)]
struct Bank {
    accounts: AtomicU32,
    is_silent: bool,
    is_broken: bool,
    refuses: bool,
}

impl Bank {
    async fn open_account(&self) -> Result<u32, OpenError> {
        let number = 1 + self.accounts.fetch_add(1, Ordering::Relaxed);
        // On the way back to the caller.
        sleep(Duration::from_millis(100)).await;
        assert!(!self.is_broken, "no such branch");
        if self.is_silent {
            std::future::pending::<()>().await;
        }
        match self.refuses {
            true => Err(OpenError::Refused),
            false => Ok(number),
        }
    }
}

fn customer(bank: Bank) -> Customer {
    Customer {
        bank: Arc::new(bank),
        tasks: TaskTracker::new(),
        opening: OnceLock::new(),
    }
}

/// The first caller gives up. What does the second get, and how many
/// accounts are there?
async fn two_callers() -> Result<(u32, u32), OpenError> {
    let customer = customer(Bank::default());
    let patience = Duration::from_millis(50);
    if timeout(patience, customer.account()).await.is_err() {
        println!("the first caller gave up");
    }
    let account = customer.account().await?;
    Ok((account, customer.bank.accounts.load(Ordering::Relaxed)))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), OpenError> {
    let (account, accounts) = two_callers().await?;
    println!("the second caller got account {account} of {accounts}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::task::JoinSet;

    use super::*;

    fn accounts(customer: &Customer) -> u32 {
        customer.bank.accounts.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_first_caller() -> Result<(), OpenError> {
        assert_eq!(two_callers().await?, (1, 1));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_opens_no_second_account() {
        at_every_poll(async |cancel| {
            let customer = customer(Bank::default());
            cancel.run(customer.account()).await;
            let second = within(HOUR, customer.account()).await;
            assert_eq!(second, Ok(1));
            assert_eq!(accounts(&customer), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_is_opened_that_nobody_needs() {
        let customer = customer(Bank::default());
        drop(customer.account());
        no_task_left().await;
        assert_eq!(accounts(&customer), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_and_the_tracker_waits() {
        let customer = customer(Bank::default());
        let tasks = customer.tasks.clone();
        let bank = Arc::clone(&customer.bank);
        let account = customer.account().now_or_never();
        assert_eq!(account, None);
        drop(customer);
        tasks.close();
        within(HOUR, tasks.wait()).await;
        assert_eq!(bank.accounts.load(Ordering::Relaxed), 1);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_goes_to_all_callers() {
        let bank = Bank { is_broken: true, ..Bank::default() };
        let customer = customer(bank);
        let two = tokio::join!(customer.account(), customer.account());
        assert_eq!(two.0, two.1);
        let error = two.0.expect_err("it has panicked").to_string();
        assert!(error.contains("no such branch"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_for_all_callers() {
        let bank = Bank { is_silent: true, ..Bank::default() };
        let customer = customer(bank);
        for _ in 0..2 {
            let account = within(HOUR, customer.account()).await;
            assert_eq!(account, Err(OpenError::TimedOut));
        }
        assert_eq!(accounts(&customer), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_open_one_account() {
        let customer = Arc::new(customer(Bank::default()));
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let customer = Arc::clone(&customer);
            callers.spawn(async move { customer.account().await });
        }
        assert_eq!(callers.join_all().await, vec![Ok(1); 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn again_opens_nothing() {
        let customer = customer(Bank::default());
        assert_eq!(customer.account().await, customer.account().await);
        assert_eq!(accounts(&customer), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_goes_to_all_callers() {
        let bank = Bank { refuses: true, ..Bank::default() };
        let customer = customer(bank);
        for _ in 0..2 {
            let account = customer.account().await;
            assert_eq!(account, Err(OpenError::Refused));
        }
        assert_eq!(accounts(&customer), 1);
    }
}
