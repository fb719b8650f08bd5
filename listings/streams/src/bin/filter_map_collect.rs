//! Parse lines into orders: skip the bad ones, or fail on the first.

// ANCHOR: orders
use std::{future::ready, num::ParseIntError};

use futures::{Stream, StreamExt, TryStreamExt};

/// The numbers of the orders that are in stock. Lines that aren't
/// numbers are skipped and reported.
async fn in_stock(
    lines: impl Stream<Item = &str>,
    mut report: impl FnMut(&str, ParseIntError),
) -> Vec<u32> {
    lines
        .filter_map(|line| {
            let order = line.parse::<u32>();
            ready(order.map_err(|error| report(line, error)).ok())
        })
        .filter(|order| is_in_stock(*order))
        .collect()
        .await
}

/// All numbers, or an error for the first line that isn't one. The
/// lines after that aren't read.
async fn all_orders(
    lines: impl Stream<Item = &str>,
) -> Result<Vec<u32>, NoNumber> {
    let parse = |line: &str| {
        let text = line.to_owned();
        line.parse::<u32>().map_err(|source| NoNumber { text, source })
    };
    lines.map(parse).try_collect().await
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{text:?} isn't a number")]
struct NoNumber {
    text: String,
    source: ParseIntError,
}
// ANCHOR_END: orders

async fn is_in_stock(order: u32) -> bool {
    tokio::task::yield_now().await;
    order.is_multiple_of(2)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let lines = ["12", "ten", "13", "14"];
    let lines = || futures::stream::iter(lines);
    let report =
        |line: &str, error| println!("skipped {line:?}: {error}");
    println!("{:?}", in_stock(lines(), report).await);
    match all_orders(lines()).await {
        Ok(orders) => println!("{orders:?}"),
        Err(error) => println!("{error}: {}", error.source),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn failure_is_reported_or_ends_it() {
        let lines = ["x", "12", "ten", "13", "14", ""];
        let mut skipped = Vec::new();
        let report = |line: &str, _| skipped.push(line.to_owned());
        let orders = in_stock(stream::iter(lines), report).await;
        assert_eq!(orders, [12, 14]);
        assert_eq!(skipped, ["x", "ten", ""]);

        let mut rest = stream::iter(lines);
        let error = all_orders(rest.by_ref()).await;
        assert_eq!(error.expect_err("no number").text, "x");
        assert_eq!(rest.next().await, Some("12"));
    }

    #[tokio::test]
    async fn edges_no_line_and_only_good_ones() {
        let none = in_stock(stream::empty(), |_, _| ()).await;
        assert!(none.is_empty());
        assert_eq!(all_orders(stream::empty()).await, Ok(vec![]));
        let lines = stream::iter(["1", "2"]);
        assert_eq!(all_orders(lines).await, Ok(vec![1, 2]));
        let lines = stream::iter(["4294967296", "٣"]);
        assert!(all_orders(lines).await.is_err());
    }

    #[tokio::test]
    async fn cancel_takes_no_line_that_it_has_not_asked_for() {
        at_every_poll(async |cancel| {
            let mut rest = stream::iter(["2", "4", "6"]);
            let orders = in_stock(rest.by_ref(), |_, _| ());
            let complete = cancel.run(orders).await.is_some();
            let left = rest.count().await;
            assert_eq!(left, 3_usize.saturating_sub(cancel.polls()));
            assert_eq!(complete, cancel.polls() > 3);
        })
        .await;
    }
}
