//! Spawn where the type is known, and let generic code only await.

use tokio::task::{JoinError, JoinSet};

/// The trait belongs to a library, and doesn't promise `Send`.
trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

// ANCHOR: caller
/// Generic code that only awaits needs no bound.
async fn send_all<M: Mailer>(mailer: M, to: Vec<String>) -> usize {
    let mut sent = 0;
    for address in to {
        if mailer.send(&address).await {
            sent += 1;
        }
    }
    sent
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    let to = ["ann@example.com", "bob"].map(String::from).to_vec();
    tasks.spawn(send_all(Smtp, to));
    while let Some(sent) = tasks.join_next().await {
        println!("sent: {}", sent?);
    }
    Ok(())
}
// ANCHOR_END: caller

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}
