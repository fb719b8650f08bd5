//! Wrong: nothing says that the mailer and the job's result are `Send`.

// ANCHOR: wrong
use tokio::task::JoinHandle;

trait Mailer {
    fn send(&self, to: &str) -> impl Future<Output = bool> + Send;
}

fn in_task<M: Mailer>(mailer: M) -> JoinHandle<bool> {
    tokio::spawn(async move { mailer.send("ann@example.com").await })
}

fn run<T, F>(job: F) -> JoinHandle<T>
where
    F: Future<Output = T> + Send + 'static,
{
    tokio::spawn(job)
}
// ANCHOR_END: wrong

fn main() {}
