//! A key makes a request the same one, however often it is sent.

// ANCHOR: key
/// Charges the card once. The key is made before the first try, and
/// is the same for all of them: an order's number, or a random one.
async fn pay(
    bank: &Bank,
    order: u32,
    amount: u32,
) -> Result<(), NoAnswer> {
    for _ in 1..3 {
        if bank.charge(order, amount).await.is_ok() {
            return Ok(());
        }
    }
    bank.charge(order, amount).await
}

impl Bank {
    /// A key that it knows is answered as before, and not charged.
    async fn charge(
        &self,
        key: u32,
        amount: u32,
    ) -> Result<(), NoAnswer> {
        // Both under one lock: two requests with one key that come at
        // the same time are one, too.
        self.charged.borrow_mut().entry(key).or_insert(amount);
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() == 1 { Err(NoAnswer) } else { Ok(()) }
    }
}
// ANCHOR_END: key

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

#[derive(Debug)]
struct NoAnswer;

/// A bank whose first answer is lost on the way.
#[derive(Default)]
struct Bank {
    charged: RefCell<BTreeMap<u32, u32>>,
    calls: Cell<u32>,
}

impl Bank {
    fn charged(&self) -> u32 {
        self.charged.borrow().values().sum()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), NoAnswer> {
    let bank = Bank::default();
    pay(&bank, 7, 42).await?;
    println!("to pay: 42, charged: {}", bank.charged());
    pay(&bank, 8, 10).await?;
    println!("to pay: 52, charged: {}", bank.charged());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_order_is_charged_once() {
        let bank = Bank::default();
        pay(&bank, 7, 42).await.expect("the second answer arrives");
        assert_eq!(bank.calls.get(), 2);
        assert_eq!(bank.charged(), 42);
    }
}
