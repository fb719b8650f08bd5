//! One function of the cycle declares that its future is `Send`.

// ANCHOR: connect
use std::future::Future;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

fn connect(
    attempt: u32,
) -> impl Future<Output = Result<(), JoinError>> + Send {
    let greeting = format!("attempt {attempt}");
    async move {
        println!("{greeting}");
        let task = tokio::spawn(async move { receive(attempt).await });
        AbortOnDropHandle::new(task).await?
    }
}

async fn receive(attempt: u32) -> Result<(), JoinError> {
    if attempt < 3 {
        connect(attempt + 1).await?;
    }
    Ok(())
}
// ANCHOR_END: connect

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    connect(1).await
}

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, no_task_left};

    use super::*;

    #[tokio::test]
    async fn owner_gone_aborts_the_chain() {
        at_every_poll(async |cancel| {
            cancel.run(connect(1)).await;
            no_task_left().await;
        })
        .await;
    }
}
