//! A trait promises that its futures can be sent, and they are spawned.

// ANCHOR: rates
use std::sync::Arc;

use tokio::task::JoinHandle;

/// Where exchange rates come from.
trait Rates: Send + Sync + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

struct Fixed;

impl Rates for Fixed {
    // The same in the usual words. It is checked here that it can be
    // sent, where the mistake would be.
    async fn rate(&self, currency: &str) -> Option<f64> {
        (currency == "USD").then_some(0.9)
    }
}

fn refresh<R: Rates>(rates: Arc<R>) -> JoinHandle<Option<f64>> {
    tokio::spawn(async move { rates.rate("USD").await })
}
// ANCHOR_END: rates

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let rate = refresh(Arc::new(Fixed)).await?;
    println!("rate: {rate:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_spawned() {
        let rate = refresh(Arc::new(Fixed)).await;
        assert_eq!(rate.expect("no panic"), Some(0.9));
    }
}
