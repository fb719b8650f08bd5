//! At an error, one stream ends, and the other continues.

// ANCHOR: two_ways
use async_stream::{stream, try_stream};
use futures::{Stream, StreamExt};

/// Ends at the first line that has no price: `?` yields the error and
/// returns.
fn all_or_error(
    lines: Vec<&str>,
) -> impl Stream<Item = Result<u32, NoPrice>> {
    try_stream! {
        for (line, text) in (1..).zip(lines) {
            let price = parse(line, text)?;
            yield price;
        }
    }
}

/// Yields an error for every line that has no price, and continues.
fn each_on_its_own(
    lines: Vec<&str>,
) -> impl Stream<Item = Result<u32, NoPrice>> {
    stream! {
        for (line, text) in (1..).zip(lines) {
            yield parse(line, text);
        }
    }
}

/// The error says which line it was and what was in it.
fn parse(line: usize, text: &str) -> Result<u32, NoPrice> {
    let text = text.trim();
    text.parse().map_err(|source| {
        let text = text.to_owned();
        NoPrice { line, text, source }
    })
}
// ANCHOR_END: two_ways

use std::num::ParseIntError;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {text:?} isn't a price")]
struct NoPrice {
    line: usize,
    text: String,
    source: ParseIntError,
}

async fn print(prices: impl Stream<Item = Result<u32, NoPrice>>) {
    let mut prices = std::pin::pin!(prices);
    while let Some(price) = prices.next().await {
        match price {
            Ok(price) => println!("  {price}"),
            Err(error) => println!("  {error}: {}", error.source),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let lines = vec!["120", "free", "80"];
    println!("all or error:");
    print(all_or_error(lines.clone())).await;
    println!("each on its own:");
    print(each_on_its_own(lines)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prices, and the lines of those that are none.
    async fn outcomes(
        prices: impl Stream<Item = Result<u32, NoPrice>>,
    ) -> Vec<Result<u32, usize>> {
        prices
            .map(|price| price.map_err(|error| error.line))
            .collect()
            .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn failure_ends_one_way_and_not_the_other() {
        let lines = vec!["120", "free", "80"];
        let seen = outcomes(all_or_error(lines.clone())).await;
        assert_eq!(seen, [Ok(120), Err(2)]);
        let seen = outcomes(each_on_its_own(lines)).await;
        assert_eq!(seen, [Ok(120), Err(2), Ok(80)]);
    }

    #[tokio::test]
    async fn failure_of_the_first_of_the_last_and_of_all() {
        let seen = outcomes(each_on_its_own(vec!["-", "1", ""])).await;
        assert_eq!(seen, [Err(1), Ok(1), Err(3)]);
        let seen = outcomes(all_or_error(vec!["-", "-"])).await;
        assert_eq!(seen, [Err(1)]);
    }

    #[tokio::test]
    async fn edges_of_numbers_and_of_text() {
        for text in ["-1", "4294967296", "", " ", "١٢", "1 2"] {
            let error = parse(7, text).expect_err("no price");
            let shown = error.to_string();
            let expected =
                format!("line 7: {:?} isn't a price", text.trim());
            assert_eq!(shown, expected);
        }
        assert_eq!(parse(1, "12\r"), Ok(12));
        assert!(outcomes(all_or_error(Vec::new())).await.is_empty());
    }

    #[tokio::test]
    async fn again_after_the_end_it_has_still_ended() {
        let prices = all_or_error(vec!["free", "80"]);
        let mut prices = std::pin::pin!(prices);
        assert!(prices.next().await.is_some_and(|it| it.is_err()));
        assert!(prices.next().await.is_none());
        assert!(prices.next().await.is_none());
    }
}
