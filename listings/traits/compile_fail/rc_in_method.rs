//! An implementation breaks the trait's promise of a `Send` future.

// ANCHOR: wrong
use std::rc::Rc;

/// A source of exchange rates.
trait Rates: Send + Sync + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

struct Cached;

impl Rates for Cached {
    async fn rate(&self, currency: &str) -> Option<f64> {
        let owned = Rc::new(currency.to_owned());
        tokio::task::yield_now().await;
        (*owned == "USD").then_some(0.9)
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{:?}", Cached.rate("USD").await);
}
