//! Generic code can't spawn the future of a trait's method.

// ANCHOR: wrong
use std::sync::Arc;

/// A source of exchange rates.
trait Rates {
    async fn rate(&self, currency: &str) -> Option<f64>;
}

async fn refresh<R: Rates>(rates: Arc<R>) -> Option<f64> {
    rates.rate("USD").await
}

fn start<R: Rates + Send + Sync + 'static>(rates: Arc<R>) {
    tokio::spawn(refresh(rates));
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
    start(Arc::new(Fixed));
}
