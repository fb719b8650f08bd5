//! Two layers, two questions: did the task end, and what did it say?

// ANCHOR: layers
use anyhow::{Context, Result};
use tokio::task::JoinHandle;

/// What a task came to.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("it failed")]
    Failed(#[source] anyhow::Error),
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error("it was aborted")]
    Aborted,
}

/// Where each outcome is treated in its own way.
async fn outcome(
    task: JoinHandle<Result<u32>>,
) -> Result<u32, TaskError> {
    match task.await {
        Ok(Ok(order)) => Ok(order),
        Ok(Err(error)) => Err(TaskError::Failed(error)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Err(TaskError::Panicked(message(panic))),
            Err(_) => Err(TaskError::Aborted),
        },
    }
}

/// Where all failures are one: a context for each layer, and two `?`.
async fn stored(task: JoinHandle<Result<u32>>) -> Result<u32> {
    let ended = task.await.context("the task did not end")?;
    ended.context("the order is not stored")
}

/// `panic!("..")` carries a `&str` or a `String`.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}
// ANCHOR_END: layers

use std::any::Any;

async fn write(order: u32) -> Result<u32> {
    anyhow::ensure!(order != 13, "the disk is full");
    assert!(order != 14, "order {order} is in no book");
    if order == 15 {
        std::future::pending().await
    }
    Ok(order)
}

/// A task that writes; that of order 15 is aborted.
fn spawn(order: u32) -> JoinHandle<Result<u32>> {
    let task = tokio::spawn(write(order));
    if order == 15 {
        task.abort();
    }
    task
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    for order in 12..=15 {
        println!("{order}: {:?}", outcome(spawn(order)).await);
    }
    for order in 12..=15 {
        match stored(spawn(order)).await {
            Ok(order) => println!("{order} is stored"),
            Err(error) => println!("{order}: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_outcome_is_told_apart() {
        assert!(matches!(outcome(spawn(12)).await, Ok(12)));
        let failed = outcome(spawn(13)).await;
        assert!(matches!(failed, Err(TaskError::Failed(_))));
        let panicked = outcome(spawn(14)).await;
        assert!(matches!(panicked, Err(TaskError::Panicked(text))
            if text == "order 14 is in no book"));
        let aborted = outcome(spawn(15)).await;
        assert!(matches!(aborted, Err(TaskError::Aborted)));
    }

    #[tokio::test]
    async fn in_one_chain_the_layers_are_told() {
        let error = stored(spawn(13)).await.expect_err("a full disk");
        let told = format!("{error:#}");
        assert_eq!(told, "the order is not stored: the disk is full");
    }
}
