//! Require of a type parameter what `spawn` requires of the future.

use std::future::Future;
use tokio::task::{JoinError, JoinHandle};

// ANCHOR: bounds
trait Mailer: Send + 'static {
    fn send(&self, to: &str) -> impl Future<Output = bool> + Send;
}

fn in_task<M: Mailer>(mailer: M) -> JoinHandle<bool> {
    tokio::spawn(async move { mailer.send("ann@example.com").await })
}

fn run<T, F>(job: F) -> JoinHandle<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    tokio::spawn(job)
}
// ANCHOR_END: bounds

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    println!("sent: {}", in_task(Smtp).await?);
    println!("sent: {}", run(async { Smtp.send("bob").await }).await?);
    Ok(())
}
