//! What is large is made on the heap, and never lies on the stack.

use tokio::task::yield_now;

// ANCHOR: import
/// Keeps a pointer to four megabytes.
async fn import() -> u8 {
    let page = vec![0u8; 4 << 20];
    yield_now().await;
    page[0]
}
// ANCHOR_END: import

#[tokio::main(worker_threads = 1)]
async fn main() {
    let task = tokio::spawn(async { Box::pin(import()).await });
    println!("imported: {}", task.await.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_runs_on_a_worker() {
        assert!(tokio::spawn(import()).await.is_ok());
    }

    #[test]
    fn the_future_is_small() {
        assert!(size_of_val(&import()) < 100);
    }
}
