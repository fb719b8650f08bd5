//! The first success wins; failures are kept, and told if all fail.

use std::{fmt, time::Duration};

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: any_quote
/// Asks all shops at once, and returns the first quote.
///
/// The other calls are aborted then: the set is dropped with this
/// future.
///
/// # Errors
///
/// No shop has a quote: what each of them said.
async fn any_quote(shops: Vec<Shop>) -> Result<u32, Vec<Refused>> {
    let mut calls: JoinSet<_> =
        shops.into_iter().map(Shop::quote).collect();
    let mut refused = Vec::new();
    while let Some(joined) = calls.join_next().await {
        match joined {
            Ok(Ok(price)) => return Ok(price),
            Ok(Err(error)) => refused.push(error),
            // One that panicked has no quote, either.
            Err(error) => eprintln!("a call failed: {error}"),
        }
    }
    Err(refused)
}
// ANCHOR_END: any_quote

/// A shop that answers after a while, or fails.
#[derive(Clone, Copy)]
struct Shop {
    name: &'static str,
    takes: Duration,
    price: Option<u32>,
}

#[derive(Debug, PartialEq)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: connection refused", self.0)
    }
}

impl std::error::Error for Refused {}

impl Shop {
    async fn quote(self) -> Result<u32, Refused> {
        sleep(self.takes).await;
        self.price.ok_or(Refused(self.name))
    }
}

fn shop(name: &'static str, millis: u64, price: Option<u32>) -> Shop {
    Shop { name, takes: Duration::from_millis(millis), price }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let down = shop("harbor", 5, None);
    let slow = shop("hill", 80, Some(1250));
    for shops in [vec![down, slow], vec![down]] {
        match any_quote(shops).await {
            Ok(price) => println!("{price} cents"),
            Err(all) => all.iter().for_each(|one| println!("{one}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_passed_by() {
        let down = shop("harbor", 5, None);
        let slow = shop("hill", 80, Some(1250));
        assert_eq!(any_quote(vec![down, slow]).await, Ok(1250));
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_fail_each_is_told() {
        let shops = vec![shop("a", 2, None), shop("b", 1, None)];
        let told = any_quote(shops).await;
        assert_eq!(told, Err(vec![Refused("b"), Refused("a")]));
        assert_eq!(any_quote(Vec::new()).await, Err(Vec::new()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_success_ends_it_on_many_threads() {
        let shops = vec![
            shop("never", 86_400_000, Some(1)),
            shop("down", 0, None),
            shop("up", 1, Some(7)),
        ];
        assert_eq!(any_quote(shops).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn select_ok_keeps_the_last_failure() {
        let quotes = ["a", "b"].map(|name| {
            Box::pin(async move { Err::<u32, _>(Refused(name)) })
        });
        let told = futures::future::select_ok(quotes).await;
        assert!(told.is_err_and(|it| it == Refused("b")));
    }

    #[test]
    #[should_panic(expected = "iterator")]
    fn select_ok_panics_on_an_empty_list() {
        type Quote = std::future::Ready<Result<u32, Refused>>;
        drop(futures::future::select_ok(Vec::<Quote>::new()));
    }
}
