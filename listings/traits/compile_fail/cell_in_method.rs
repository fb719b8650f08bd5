//! The future of a `&self` method isn't `Send` if `Self` isn't `Sync`.

use std::cell::Cell;

// ANCHOR: wrong
/// A source of exchange rates.
trait Rates: Send + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

/// Counts its calls.
struct Counted {
    calls: Cell<u32>,
}

impl Rates for Counted {
    async fn rate(&self, currency: &str) -> Option<f64> {
        self.calls.set(self.calls.get() + 1);
        (currency == "USD").then_some(0.9)
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let rates = Counted { calls: Cell::new(0) };
    println!("{:?}", rates.rate("USD").await);
}
