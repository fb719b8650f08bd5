//! The first success wins; if all fail, every failure is returned.

use std::{fmt, time::Duration};

use tokio::time::sleep;

// ANCHOR: any_quote
use tokio::{
    task::JoinError,
    time::{error::Elapsed, timeout},
};
use tokio_util::task::JoinMap;

/// Asks all shops at the same time, and returns the first quote.
///
/// Then it aborts the other calls, and so does dropping this future.
/// Each call ends at its next `.await`.
///
/// # Errors
///
/// No shop has a quote. The error has the reason for each shop.
async fn any_quote(shops: &[Shop]) -> Result<u32, Vec<Failure>> {
    let mut calls = JoinMap::new();
    for (place, &shop) in shops.iter().enumerate() {
        calls.spawn(place, timeout(PATIENCE, shop.quote()));
    }
    let mut failures = Vec::new();
    while let Some((place, joined)) = calls.join_next().await {
        let name = shops[place].name;
        failures.push(match joined {
            Ok(Ok(Ok(price))) => return Ok(price),
            Ok(Ok(Err(refused))) => Failure::Refused(refused),
            Ok(Err(elapsed)) => Failure::TooSlow(name, elapsed),
            Err(error) => Failure::Panicked(name, error),
        });
    }
    Err(failures)
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

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Failure {
    Refused(Refused),
    TooSlow(&'static str, Elapsed),
    Panicked(&'static str, JoinError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::TooSlow(name, elapsed) => {
                write!(f, "{name}: {elapsed}")
            }
            Self::Panicked(name, error) => write!(f, "{name}: {error}"),
        }
    }
}

impl Shop {
    async fn quote(self) -> Result<u32, Refused> {
        sleep(self.takes).await;
        assert_ne!(self.price, Some(0), "a price of nothing");
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
    for shops in [&[down, slow][..], &[down]] {
        match any_quote(shops).await {
            Ok(price) => println!("{price} cents"),
            Err(all) => all.iter().for_each(|one| println!("{one}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    async fn failures(shops: &[Shop]) -> Vec<String> {
        let failures = any_quote(shops).await.expect_err("all fail");
        failures.iter().map(Failure::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_quick_one_does_not_win() {
        let down = shop("harbor", 5, None);
        let slow = shop("hill", 80, Some(1250));
        assert_eq!(any_quote(&[down, slow]).await.ok(), Some(1250));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_all_reports_each() {
        let shops = [shop("a", 2, None), shop("b", 1, None)];
        let expected =
            ["b: connection refused", "a: connection refused"];
        assert_eq!(failures(&shops).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_a_failure_with_its_shop() {
        let bad = shop("bad", 1, Some(0));
        let good = shop("good", 9, Some(7));
        for shops in [[bad, good], [good, bad]] {
            assert_eq!(any_quote(&shops).await.ok(), Some(7));
        }
        let all = failures(&[bad, bad]).await;
        assert_eq!(all.len(), 2);
        assert!(all[0].starts_with("bad: task "), "{}", all[0]);
        assert!(all[0].contains("a price of nothing"), "{}", all[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_failure_after_a_while() {
        let silent = shop("silent", u64::MAX >> 20, Some(1));
        let all = within(HOUR, failures(&[silent; 3])).await;
        assert_eq!(all, ["silent: deadline has elapsed"; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_call() {
        at_every_poll(async |cancel| {
            let down = shop("harbor", 5, None);
            let slow = shop("hill", 80, Some(1250));
            cancel.run(any_quote(&[down, slow, slow])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_shop() {
        let none = within(HOUR, failures(&[])).await;
        assert!(none.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_end_with_a_success() {
        let shops = [
            shop("never", 86_400_000, Some(1)),
            shop("down", 0, None),
            shop("up", 1, Some(7)),
        ];
        let quote =
            tokio::spawn(async move { any_quote(&shops).await.ok() });
        assert_eq!(quote.await.expect("no panic"), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn select_ok_keeps_the_last_failure() {
        let quotes = ["a", "b"].map(|name| {
            Box::pin(async move { Err::<u32, _>(Refused(name)) })
        });
        let last = futures::future::select_ok(quotes).await;
        assert!(last.is_err_and(|it| it == Refused("b")));
    }

    #[test]
    #[should_panic(expected = "iterator")]
    fn select_ok_panics_on_an_empty_list() {
        type Quote = std::future::Ready<Result<u32, Refused>>;
        drop(futures::future::select_ok(Vec::<Quote>::new()));
    }
}
