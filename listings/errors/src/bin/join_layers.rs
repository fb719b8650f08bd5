//! A task's result has two layers: a panic or abort, and your own error.
//! Handle both.

// ANCHOR: layers
use anyhow::{Context, Result};
use tokio_util::task::AbortOnDropHandle;

/// Why an order isn't stored.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("order {0} failed")]
    Failed(u32, #[source] anyhow::Error),
    #[error("order {0} panicked: {1}")]
    Panicked(u32, String),
    #[error("order {0} was aborted")]
    Aborted(u32),
}

/// For callers that branch on it. Dropping this aborts the task.
async fn outcome(
    order: u32,
    task: AbortOnDropHandle<Result<()>>,
) -> Result<(), StoreError> {
    match task.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StoreError::Failed(order, error)),
        Err(error) => Err(match error.try_into_panic() {
            Ok(panic) => StoreError::Panicked(order, message(&*panic)),
            Err(_cancelled) => StoreError::Aborted(order),
        }),
    }
}

/// For callers that only report it: add context to each layer.
async fn stored(
    order: u32,
    task: AbortOnDropHandle<Result<()>>,
) -> Result<()> {
    let about = || format!("order {order} is not stored");
    task.await.with_context(about)?.with_context(about)
}
// ANCHOR_END: layers

// ANCHOR: message
/// `panic!("..")` carries a `&str` or a `String`.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}
// ANCHOR_END: message

use std::any::Any;

async fn write(order: u32) -> Result<()> {
    anyhow::ensure!(order != 13, "the disk is full");
    assert!(order != 14, "order {order} is unknown");
    if order == 15 {
        std::future::pending().await
    }
    if order == 16 {
        std::panic::panic_any(order);
    }
    Ok(())
}

/// A task that writes; that of order 15 is aborted.
fn spawn(order: u32) -> AbortOnDropHandle<Result<()>> {
    let task = tokio::spawn(write(order));
    if order == 15 {
        task.abort();
    }
    AbortOnDropHandle::new(task)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    for order in 12..=15 {
        println!("{order}: {:?}", outcome(order, spawn(order)).await);
    }
    for order in 12..=15 {
        match stored(order, spawn(order)).await {
            Ok(()) => println!("order {order} is stored"),
            Err(error) => println!("{error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_failure_and_abort_are_told_apart() {
        assert!(outcome(12, spawn(12)).await.is_ok());
        let failed = outcome(13, spawn(13)).await;
        assert!(matches!(failed, Err(StoreError::Failed(13, _))));
        let panicked = outcome(14, spawn(14)).await;
        assert!(matches!(panicked, Err(StoreError::Panicked(14, text))
            if text == "order 14 is unknown"));
        let aborted = outcome(15, spawn(15)).await;
        assert!(matches!(aborted, Err(StoreError::Aborted(15))));
    }

    #[tokio::test]
    async fn edges_a_panic_without_a_text() {
        let panicked = outcome(16, spawn(16)).await;
        assert!(matches!(panicked, Err(StoreError::Panicked(16, text))
            if text == "no message"));
    }

    #[tokio::test]
    async fn failure_arrives_with_its_order_and_cause() {
        for (order, cause) in [
            (13, "the disk is full"),
            (14, "order 14 is unknown"),
            (15, "was cancelled"),
        ] {
            let error = stored(order, spawn(order)).await;
            let line = format!("{:#}", error.expect_err("no order"));
            let about = format!("order {order} is not stored: ");
            assert!(line.starts_with(&about), "{line}");
            assert!(line.contains(cause), "{line}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_task() {
        let hangs = tokio::spawn(std::future::pending());
        let hangs = outcome(7, AbortOnDropHandle::new(hangs));
        let hangs = tokio::spawn(hangs);
        tokio::task::yield_now().await;
        hangs.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(outcome(12, spawn(12))).await;
            hazards::no_task_left().await;
        })
        .await;
        hazards::at_every_poll(async |cancel| {
            cancel.run(stored(12, spawn(12))).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
