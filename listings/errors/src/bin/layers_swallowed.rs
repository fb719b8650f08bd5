//! Wrong: the outer error is propagated, and the inner one is discarded.

// ANCHOR: wrong
use anyhow::Result;

/// Stores the order in its own task, and waits for the task.
async fn store(order: u32) -> Result<()> {
    let task = tokio::spawn(write(order));
    // Wrong: `?` handles only the `JoinError`. The task's own
    // `Result` is left, and `let _` discards it.
    let _ = task.await?;
    Ok(())
}
// ANCHOR_END: wrong

async fn write(order: u32) -> Result<u32> {
    anyhow::ensure!(order != 13, "the disk is full");
    Ok(order)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for order in [12, 13] {
        match store(order).await {
            Ok(()) => println!("order {order} is stored"),
            Err(error) => println!("order {order}: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_arrives_with_its_order_and_cause() {
        assert!(store(13).await.is_ok());
    }
}
