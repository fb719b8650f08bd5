//! At an error, one stream ends, and another one goes on.

// ANCHOR: two_ways
use async_stream::{stream, try_stream};
use futures::{Stream, StreamExt};

/// Ends at the first price that is none: `?` yields the error, and
/// returns.
fn all_or_error(
    lines: Vec<&str>,
) -> impl Stream<Item = Result<u32, ParseIntError>> {
    try_stream! {
        for line in lines {
            let price: u32 = line.parse()?;
            yield price;
        }
    }
}

/// Yields an error for each price that is none, and goes on.
fn each_on_its_own(
    lines: Vec<&str>,
) -> impl Stream<Item = Result<u32, ParseIntError>> {
    stream! {
        for line in lines {
            yield line.parse();
        }
    }
}
// ANCHOR_END: two_ways

use std::num::ParseIntError;

/// How each price fared.
async fn outcomes(
    prices: impl Stream<Item = Result<u32, ParseIntError>>,
) -> Vec<String> {
    let outcome = |price| match price {
        Ok(price) => format!("{price}"),
        Err(error) => format!("{error}"),
    };
    prices.map(outcome).collect().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let lines = vec!["120", "free", "80"];
    println!("{:?}", outcomes(all_or_error(lines.clone())).await);
    println!("{:?}", outcomes(each_on_its_own(lines)).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_ends_and_one_goes_on() {
        let lines = vec!["120", "free", "80"];
        let seen = outcomes(all_or_error(lines.clone())).await;
        assert_eq!(seen.len(), 2);
        let seen = outcomes(each_on_its_own(lines)).await;
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[2], "80");
    }
}
