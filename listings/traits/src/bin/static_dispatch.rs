//! Write async methods in a trait and call them generically.

// ANCHOR: rates
use std::collections::HashMap;

use tokio::time::{Duration, sleep};

/// A source of exchange rates.
trait Rates {
    async fn rate(&self, currency: &str) -> Option<f64>;
}

/// A fixed table of rates.
struct Fixed(HashMap<&'static str, f64>);

impl Rates for Fixed {
    async fn rate(&self, currency: &str) -> Option<f64> {
        self.0.get(currency).copied()
    }
}

/// Asks the first source, and then the second one if necessary.
struct OrElse<A, B>(A, B);

impl<A: Rates, B: Rates> Rates for OrElse<A, B> {
    async fn rate(&self, currency: &str) -> Option<f64> {
        match self.0.rate(currency).await {
            Some(rate) => Some(rate),
            None => self.1.rate(currency).await,
        }
    }
}

async fn in_euros(
    rates: &impl Rates,
    amount: f64,
    currency: &str,
) -> Option<f64> {
    Some(amount * rates.rate(currency).await?)
}
// ANCHOR_END: rates

/// A bank that takes a while to reply.
struct Bank;

impl Rates for Bank {
    async fn rate(&self, currency: &str) -> Option<f64> {
        sleep(Duration::from_millis(80)).await;
        (currency == "CHF").then_some(1.05)
    }
}

fn rates() -> impl Rates {
    OrElse(Fixed(HashMap::from([("USD", 0.90)])), Bank)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let rates = rates();
    for currency in ["USD", "CHF", "XYZ"] {
        match in_euros(&rates, 100.0, currency).await {
            Some(euros) => println!("100 {currency}: {euros} euros"),
            None => println!("100 {currency}: no rate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_fixed_elsewhere_and_unknown() {
        let rates = rates();
        assert_eq!(in_euros(&rates, 10.0, "USD").await, Some(9.0));
        assert_eq!(in_euros(&rates, 10.0, "CHF").await, Some(10.5));
        assert_eq!(in_euros(&rates, 10.0, "XYZ").await, None);
    }

    /// If the type is known, the compiler sees that it's `Send`.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_a_known_type() {
        let asked = tokio::spawn(async {
            let rates = OrElse(Fixed(HashMap::new()), Bank);
            in_euros(&rates, 10.0, "CHF").await
        });
        assert_eq!(asked.await.ok().flatten(), Some(10.5));
    }
}
