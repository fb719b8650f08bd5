//! Do the fallible work first, and then change everything in one step.

// ANCHOR: book
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Account {
    balance: i64,
    booked: i64,
}

impl Account {
    /// The account after a booking, if the numbers aren't too large.
    fn after(self, amount: i64) -> Option<Self> {
        Some(Self {
            balance: self.balance.checked_sub(amount)?,
            booked: self.booked.checked_add(amount)?,
        })
    }
}

/// Books an amount, or returns `false` if the account can't hold it.
/// If this is dropped or panics, no account changes. A receipt may
/// exist without its booking, but never the other way round. A second
/// call books the amount again.
async fn book(account: &Mutex<Account>, amount: i64) -> bool {
    // Without the lock, so that other bookings can proceed.
    write_receipt(amount).await;
    let mut account = lock(account);
    let Some(after) = account.after(amount) else { return false };
    *account = after;
    true
}

/// No change is ever half finished, so a poisoned lock is usable.
fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
// ANCHOR_END: book

use std::sync::Arc;

use tokio::task::yield_now;

async fn write_receipt(amount: i64) {
    yield_now().await;
    assert!(amount != 2000, "there is no form for such an amount");
}

fn account() -> Arc<Mutex<Account>> {
    Arc::new(Mutex::new(Account { balance: 5000, booked: 0 }))
}

/// The account after a booking that panics.
async fn run() -> Account {
    let account = account();
    let booked = Arc::clone(&account);
    let booking =
        tokio::spawn(async move { book(&booked, 2000).await });
    let panicked = booking.await.is_err_and(|error| error.is_panic());
    println!("the booking panicked: {panicked}");
    *lock(&account)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    println!("{:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Account = Account { balance: 5000, booked: 0 };
    const AFTER: Account = Account { balance: 4000, booked: 1000 };

    #[tokio::test]
    async fn panic_leaves_no_half_change() {
        assert_eq!(run().await, BEFORE);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_half_change() {
        hazards::at_every_poll(async |cancel| {
            let account = account();
            let booked = cancel.run(book(&account, 1000)).await;
            let expected =
                if booked.is_some() { AFTER } else { BEFORE };
            assert_eq!(*lock(&account), expected);
        })
        .await;
    }

    #[tokio::test]
    async fn again_is_a_second_booking() {
        let account = account();
        assert!(book(&account, 1000).await);
        assert!(book(&account, 1000).await);
        let twice = Account { balance: 3000, booked: 2000 };
        assert_eq!(*lock(&account), twice);
    }

    #[tokio::test]
    async fn edges_amounts_that_no_account_can_hold() {
        let account = account();
        assert!(!book(&account, i64::MIN).await);
        assert!(book(&account, 0).await);
        assert_eq!(*lock(&account), BEFORE);
        assert!(book(&account, 1000).await);
        assert!(!book(&account, i64::MAX).await);
        assert_eq!(*lock(&account), AFTER);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_booking() {
        let account = account();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let account = Arc::clone(&account);
            tasks.spawn(async move { book(&account, 1).await });
        }
        assert!(tasks.join_all().await.iter().all(|booked| *booked));
        assert_eq!(*lock(&account), AFTER);
    }
}
