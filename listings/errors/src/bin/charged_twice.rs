//! Wrong: the answer was lost, so the card is charged again.

// ANCHOR: wrong
/// Charges the card, and retries if there is no answer.
async fn pay(bank: &Bank, amount: u32) -> Result<(), NoAnswer> {
    // Wrong: the charge may have succeeded without an answer.
    for _ in 1..3 {
        if bank.charge(amount).await.is_ok() {
            return Ok(());
        }
    }
    bank.charge(amount).await
}
// ANCHOR_END: wrong

use std::cell::Cell;

#[derive(Debug)]
struct NoAnswer;

/// A bank whose first answer is lost on the way.
#[derive(Default)]
struct Bank {
    charged: Cell<u32>,
    calls: Cell<u32>,
}

impl Bank {
    async fn charge(&self, amount: u32) -> Result<(), NoAnswer> {
        self.charged.set(self.charged.get() + amount);
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() == 1 { Err(NoAnswer) } else { Ok(()) }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), NoAnswer> {
    let bank = Bank::default();
    pay(&bank, 42).await?;
    println!("to pay: 42, charged: {}", bank.charged.get());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_after_a_lost_answer() {
        let bank = Bank::default();
        pay(&bank, 42).await.expect("the second answer arrives");
        assert_eq!(bank.charged.get(), 84);
    }
}
