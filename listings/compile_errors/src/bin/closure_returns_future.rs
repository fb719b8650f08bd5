//! A plain closure that returns a future, instead of an async closure.

use tokio::task::JoinError;

async fn deliver(name: &str) -> bool {
    !name.is_empty()
}

// ANCHOR: retry
trait Notifier {
    /// Returns the number of attempts, or `None` if all failed.
    fn notify(
        &self,
        name: &str,
    ) -> impl Future<Output = Option<u32>> + Send;
}

/// Calls `attempt` until it succeeds, at most three times.
async fn retry<F>(mut attempt: impl FnMut() -> F) -> bool
where
    F: Future<Output = bool>,
{
    for _ in 0..3 {
        if attempt().await {
            return true;
        }
    }
    false
}

struct Smtp;

impl Notifier for Smtp {
    async fn notify(&self, name: &str) -> Option<u32> {
        let mut attempts = 0;
        let delivered = retry(|| {
            attempts += 1;
            deliver(name)
        })
        .await;
        delivered.then_some(attempts)
    }
}
// ANCHOR_END: retry

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let tries = tokio::spawn(async {
        (Smtp.notify("ann").await, Smtp.notify("").await)
    });
    println!("{:?} attempts", tries.await?);
    Ok(())
}
