//! Wrong: stable Rust can't put a bound on the future that a method returns.

// ANCHOR: wrong
use tokio::task::JoinHandle;

trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

fn in_task<M>(mailer: M) -> JoinHandle<bool>
where
    M: Mailer + Send + Sync + 'static,
    M::send(..): Send,
{
    tokio::spawn(async move { mailer.send("ann@example.com").await })
}
// ANCHOR_END: wrong

fn main() {}
