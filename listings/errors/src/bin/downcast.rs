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

fn take(units: u32) -> Result<u32, StockError> {
    match units {
        0..=12 => Ok(12 - units),
        13..=99 => Err(StockError::NotEnough { left: 12 }),
        _ => Err(StockError::Closed),
    }
}

async fn order(units: u32) -> Result<u32> {
    take(units).with_context(|| format!("cannot order {units}"))
}

/// What an HTTP service answers.
fn status(error: &Error) -> u16 {
    // Looks through the context, and through the context of that.
    match error.downcast_ref::<StockError>() {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_type_is_found_below_the_context() {
        let error = order(20).await.expect_err("there are twelve");
        assert_eq!(status(&error.context("one more layer")), 409);
        let error = order(100).await.expect_err("it is closed");
        assert_eq!(status(&error), 503);
    }
}
