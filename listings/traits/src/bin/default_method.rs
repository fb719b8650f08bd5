//! Write a default async method whose future is `Send`, and a method
//! that returns a stream.

// ANCHOR: rates
use futures::{Stream, StreamExt, stream};

/// A source of exchange rates.
trait Rates: Send + Sync {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;

    /// Converts an amount with `rate`. An implementation can
    /// override it with `async fn amount`.
    fn amount(
        &self,
        amount: f64,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send {
        async move { Some(amount * self.rate(currency).await?) }
    }

    /// All known rates, one after another.
    fn all(&self) -> impl Stream<Item = f64> + Send;
}

struct Fixed;

impl Rates for Fixed {
    async fn rate(&self, currency: &str) -> Option<f64> {
        (currency == "USD").then_some(0.9)
    }

    fn all(&self) -> impl Stream<Item = f64> + Send {
        let known = stream::iter(["USD", "XYZ"]);
        known.filter_map(|currency| self.rate(currency))
    }
}
// ANCHOR_END: rates

#[tokio::main]
async fn main() {
    println!("100 USD: {:?}", Fixed.amount(100.0, "USD").await);
    println!("all: {:?}", Fixed.all().collect::<Vec<_>>().await);
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_both() {
        fn is_sent<T: Send>(value: T) -> T {
            value
        }
        let amount = is_sent(Fixed.amount(10.0, "USD")).await;
        assert_eq!(amount, Some(9.0));
        let mut all = pin!(is_sent(Fixed.all()));
        assert_eq!(all.next().await, Some(0.9));
        assert_eq!(all.next().await, None);
    }

    /// Rounds up to whole units, in an `async fn`.
    struct Rounded;

    impl Rates for Rounded {
        async fn rate(&self, currency: &str) -> Option<f64> {
            Fixed.rate(currency).await
        }

        async fn amount(
            &self,
            amount: f64,
            currency: &str,
        ) -> Option<f64> {
            Some((amount * self.rate(currency).await?).ceil())
        }

        fn all(&self) -> impl Stream<Item = f64> + Send {
            stream::iter([0.9])
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_an_overridden_method() {
        async fn convert<R: Rates + 'static>(rates: R) -> Option<f64> {
            let task = async move { rates.amount(12.0, "USD").await };
            tokio::spawn(task).await.expect("no panic")
        }
        assert_eq!(convert(Fixed).await, Some(12.0 * 0.9));
        assert_eq!(convert(Rounded).await, Some(11.0));
    }

    #[tokio::test]
    async fn edges_an_unknown_currency() {
        assert_eq!(Fixed.amount(10.0, "").await, None);
    }
}
