//! Wrong: the first result wins, and the first result is an error.

use std::{fmt, time::Duration};

use tokio::time::sleep;

// ANCHOR: wrong
/// Wrong: `select!` uses the first result. A refused connection is
/// ready long before an answer.
async fn any_quote(one: Shop, other: Shop) -> Result<u32, Refused> {
    tokio::select! {
        quote = one.quote() => quote,
        quote = other.quote() => quote,
    }
}
// ANCHOR_END: wrong

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
    match any_quote(down, slow).await {
        Ok(price) => println!("{price} cents"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_quick_one_does_not_win() {
        let down = shop("harbor", 5, None);
        let slow = shop("hill", 80, Some(1250));
        // The mistake: it does.
        assert_eq!(any_quote(down, slow).await, Err(Refused("harbor")));
        assert_eq!(any_quote(slow, down).await, Err(Refused("harbor")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_quick_failure_wins_on_many_threads() {
        let down = shop("harbor", 0, None);
        let slow = shop("hill", 3_000, Some(1250));
        assert!(any_quote(down, slow).await.is_err());
    }
}
