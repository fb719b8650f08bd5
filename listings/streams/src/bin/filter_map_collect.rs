//! From lines to orders: each that can be read, or all or nothing.

// ANCHOR: orders
use futures::{Stream, StreamExt, TryStreamExt};

/// The numbers of the orders that can be read and are in stock.
async fn in_stock(lines: impl Stream<Item = &str>) -> Vec<u32> {
    lines
        .filter_map(async |line| line.parse().ok())
        .filter(|order| is_in_stock(*order))
        .collect()
        .await
}

/// All numbers, or the first error: then it asks for no further line.
async fn all_orders(
    lines: impl Stream<Item = &str>,
) -> Result<Vec<u32>, ParseIntError> {
    lines.map(str::parse::<u32>).try_collect().await
}
// ANCHOR_END: orders

use std::num::ParseIntError;

async fn is_in_stock(order: u32) -> bool {
    tokio::task::yield_now().await;
    order.is_multiple_of(2)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let lines = ["12", "ten", "13", "14"];
    let lines = || futures::stream::iter(lines);
    println!("{:?}", in_stock(lines()).await);
    match all_orders(lines()).await {
        Ok(orders) => println!("{orders:?}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_is_left_out_or_ends_it() {
        let lines = ["12", "ten", "13", "14"];
        let orders = in_stock(stream::iter(lines)).await;
        assert_eq!(orders, [12, 14]);

        let mut rest = stream::iter(lines);
        assert!(all_orders(rest.by_ref()).await.is_err());
        assert_eq!(rest.next().await, Some("13"));
    }

    #[tokio::test]
    async fn all_or_nothing() {
        let lines = stream::iter(["1", "2"]);
        assert_eq!(all_orders(lines).await, Ok(vec![1, 2]));
    }
}
