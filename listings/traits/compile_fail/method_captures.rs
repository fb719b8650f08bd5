//! The future of a trait's method borrows `self` and all arguments.

use tokio::task::JoinSet;

// ANCHOR: wrong
/// A source of exchange rates.
trait Rates: Send + Sync + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

/// Fetches each rate in a task.
fn refresh(
    tasks: &mut JoinSet<Option<f64>>,
    rates: &impl Rates,
    currencies: &[String],
) {
    for currency in currencies {
        tasks.spawn(rates.rate(currency));
    }
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
    refresh(&mut JoinSet::new(), &Fixed, &["USD".to_owned()]);
}
