//! The future is awaited, and so it runs.

use std::cell::Cell;

// ANCHOR: check_out
/// Charges the customer, and says thank you when that is done.
async fn check_out(register: &Register) {
    register.charge(1250).await;
    println!("thank you for your order");
}
// ANCHOR_END: check_out

/// What customers have paid, in cents.
#[derive(Default)]
struct Register {
    charged: Cell<u32>,
}

impl Register {
    async fn charge(&self, cents: u32) {
        self.charged.set(self.charged.get() + cents);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let register = Register::default();
    check_out(&register).await;
    println!("charged: {} cents", register.charged.get());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_that_is_awaited_runs() {
        let register = Register::default();
        check_out(&register).await;
        assert_eq!(register.charged.get(), 1250);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_runs_once_on_many_threads() {
        let register = Register::default();
        let charge = register.charge(7);
        assert_eq!(register.charged.get(), 0);
        charge.await;
        assert_eq!(register.charged.get(), 7);
    }
}
