//! Wrong: an `async fn` is called, but its future is never awaited.

use std::cell::Cell;

// ANCHOR: wrong
/// Wrong: `charge` only creates a future. Nothing polls it, so none
/// of its body runs. The underscore silences the compiler warning.
async fn check_out(register: &Register) {
    let _payment = register.charge(1250);
    println!("thank you for your order");
}
// ANCHOR_END: wrong

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
        // It doesn't, because its future is dropped.
        let register = Register::default();
        check_out(&register).await;
        assert_eq!(register.charged.get(), 0);
    }

    #[tokio::test]
    async fn a_future_that_is_awaited_runs() {
        let register = Register::default();
        register.charge(1250).await;
        assert_eq!(register.charged.get(), 1250);
    }
}
