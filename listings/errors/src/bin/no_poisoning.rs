//! Wrong: a panic between two writes leaves a half-finished update.

// ANCHOR: wrong
use std::sync::Arc;

use tokio::{sync::Mutex, task::yield_now};

#[derive(Clone, Debug, PartialEq)]
struct Account {
    balance: i64,
    booked: i64,
}

/// Wrong: between the two writes, it may panic or be dropped. Tokio's
/// mutex unlocks then as if nothing had happened.
async fn book(account: Arc<Mutex<Account>>, amount: i64) {
    let mut account = account.lock().await;
    account.balance -= amount;
    write_receipt(amount).await;
    account.booked += amount;
}
// ANCHOR_END: wrong

async fn write_receipt(amount: i64) {
    yield_now().await;
    assert!(amount < 1000, "there is no form for such an amount");
}

/// The account after a booking that panics.
async fn run() -> Account {
    let account = Account { balance: 5000, booked: 0 };
    let account = Arc::new(Mutex::new(account));
    let booking = tokio::spawn(book(Arc::clone(&account), 2000));
    let panicked = booking.await.is_err_and(|error| error.is_panic());
    println!("the booking panicked: {panicked}");
    account.lock().await.clone()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    println!("{:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_leaves_no_half_change() {
        // It does: two thousand are missing.
        assert_eq!(run().await, Account { balance: 3000, booked: 0 });
    }
}
