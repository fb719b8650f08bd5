//! Wrong: the future of the method must be `Send`, and it runs an async closure that borrows.

// ANCHOR: wrong
trait Notifier {
    fn notify(&self, name: &str) -> impl Future<Output = bool> + Send;
}

async fn deliver(name: &str) -> bool {
    !name.is_empty()
}

async fn retry(attempt: impl AsyncFn() -> bool) -> bool {
    attempt().await || attempt().await
}

struct Smtp;

impl Notifier for Smtp {
    async fn notify(&self, name: &str) -> bool {
        retry(async || deliver(name).await).await
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    Smtp.notify("ann").await;
}
