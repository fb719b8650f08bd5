//! Find the typed error in a chain of context, and act on it.

// ANCHOR: downcast
use anyhow::{Context, Error, Result};

#[derive(Debug, thiserror::Error)]
enum StockError {
    #[error("there are {left} left")]
    NotEnough { left: u32 },
    #[error("the stock is closed")]
    Closed,
}

/// The error of a layer that uses the stock.
#[derive(Debug, thiserror::Error)]
#[error("the warehouse refused")]
struct Refused(#[source] StockError);

fn take(units: u32) -> Result<u32, Refused> {
    match units {
        0..=12 => Ok(12 - units),
        13..=99 => Err(Refused(StockError::NotEnough { left: 12 })),
        _ => Err(Refused(StockError::Closed)),
    }
}

async fn order(units: u32) -> Result<u32> {
    take(units).with_context(|| format!("cannot order {units}"))
}

/// What an HTTP service answers.
fn status(error: &Error) -> u16 {
    // Through each context, and through each `source`.
    let stock =
        error.chain().find_map(|it| it.downcast_ref::<StockError>());
    match stock {
        Some(StockError::NotEnough { .. }) => 409,
        Some(StockError::Closed) => 503,
        None => 500,
    }
}
// ANCHOR_END: downcast

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for units in [5, 20, 100] {
        match order(units).await {
            Ok(left) => println!("200: {left} left"),
            Err(error) => println!("{}: {error:#}", status(&error)),
        }
    }
    println!("{}: anything else", status(&anyhow::anyhow!("no idea")));
    if let Err(error) = order(20).await {
        let found = error.downcast_ref::<StockError>().is_some();
        println!("found without chain(): {found}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_is_found_below_context_and_sources() {
        let error = order(20).await.expect_err("there are twelve");
        // Only contexts, and what was converted, are looked through.
        assert!(error.downcast_ref::<Refused>().is_some());
        assert!(error.downcast_ref::<StockError>().is_none());
        assert_eq!(status(&error.context("one more layer")), 409);
        let error = order(100).await.expect_err("it is closed");
        assert_eq!(status(&error), 503);
    }

    #[tokio::test]
    async fn edges_none_all_and_unknown() {
        assert_eq!(order(0).await.expect("all are left"), 12);
        assert_eq!(order(12).await.expect("the last"), 0);
        let error = order(u32::MAX).await.expect_err("too many");
        assert_eq!(status(&error), 503);
        assert_eq!(status(&anyhow::anyhow!("no idea")), 500);
    }
}
