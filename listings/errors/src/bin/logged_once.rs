//! Each layer adds its context, and only the outermost layer logs.

// ANCHOR: once
use std::process::ExitCode;

use anyhow::{Context, Result};

async fn charge(order: u32) -> Result<()> {
    call_bank(order).await.context("the bank refused")
}

async fn ship(order: u32) -> Result<()> {
    charge(order)
        .await
        .with_context(|| format!("order {order} not paid"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Err(error) = ship(7).await else {
        return ExitCode::SUCCESS;
    };
    log(&error.context("not shipped"));
    ExitCode::FAILURE
}
// ANCHOR_END: once

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many lines are in the log.
static LINES: AtomicUsize = AtomicUsize::new(0);

fn log(error: &anyhow::Error) {
    LINES.fetch_add(1, Ordering::Relaxed);
    println!("ERROR {error:#}");
}

async fn call_bank(_order: u32) -> Result<()> {
    Err(std::io::Error::other("card expired")).context("call failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_logged_with_its_cause_and_only_once() {
        assert_eq!(main(), ExitCode::FAILURE);
        assert_eq!(LINES.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn failure_keeps_its_cause() {
        let error = ship(7).await.expect_err("it is not paid");
        assert!(format!("{error:#}").contains("card expired"));
    }
}
