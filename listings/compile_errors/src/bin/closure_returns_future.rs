//! A plain closure that returns a future, instead of an async closure.

use tokio::task::JoinError;

async fn deliver(name: &str) -> bool {
    !name.is_empty()
}

// ANCHOR: retry
trait Notifier {
    fn notify(&self, name: &str) -> impl Future<Output = u32> + Send;
}

/// Calls `attempt` until it succeeds, at most three times.
async fn retry<F>(mut attempt: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    for _ in 0..3 {
        if attempt().await {
            break;
        }
    }
}

struct Smtp;

impl Notifier for Smtp {
    async fn notify(&self, name: &str) -> u32 {
        let mut attempts = 0;
        retry(|| {
            attempts += 1;
            deliver(name)
        })
        .await;
        attempts
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
