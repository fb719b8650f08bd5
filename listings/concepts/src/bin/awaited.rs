//! Await the future, so that its body runs.

use std::cell::Cell;

// ANCHOR: check_out
/// Charges the customer, waits until that is done, and says thanks.
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
    async fn edges_one_call_charges_once() {
        let register = Register::default();
        check_out(&register).await;
        assert_eq!(register.charged.get(), 1250);
    }

    #[tokio::test]
    async fn again_called_it_runs_each_time() {
        let register = Register::default();
        check_out(&register).await;
        assert_eq!(register.charged.get(), 1250);
        check_out(&register).await;
        assert_eq!(register.charged.get(), 2500);
    }

    #[tokio::test]
    async fn cancel_before_the_first_poll_charges_nothing() {
        hazards::at_every_poll(async |cancel| {
            let register = Register::default();
            let done = cancel.run(check_out(&register)).await.is_some();
            assert_eq!(register.charged.get(), 1250 * u32::from(done));
        })
        .await;
    }
}
