//! A future that holds `&T` across an `.await` needs `T: Sync`.

// ANCHOR: wrong
/// A source of exchange rates.
trait Rates: Send + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

/// Converts an amount to euros.
async fn in_euros(rates: &impl Rates, usd: f64) -> Option<f64> {
    Some(usd * rates.rate("USD").await?)
}

fn start<R: Rates>(rates: R) {
    tokio::spawn(async move { in_euros(&rates, 100.0).await });
}
// ANCHOR_END: wrong

struct Fixed;

impl Rates for Fixed {
    async fn rate(&self, _currency: &str) -> Option<f64> {
        Some(0.9)
    }
}

#[tokio::main]
async fn main() {
    start(Fixed);
}
