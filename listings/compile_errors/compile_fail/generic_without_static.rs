//! Wrong: nothing says that the mailer borrows nothing.

// ANCHOR: wrong
use tokio::task::JoinHandle;

trait Mailer: Send {
    fn send(&self, to: &str) -> impl Future<Output = bool> + Send;
}

fn in_task<M: Mailer>(mailer: M) -> JoinHandle<bool> {
    tokio::spawn(async move { mailer.send("ann@example.com").await })
}
// ANCHOR_END: wrong

fn main() {}
