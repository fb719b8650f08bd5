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
    async fn edges_it_fits_on_the_stack() {
        assert!(tokio::spawn(import()).await.is_ok());
        assert!(size_of_val(&import()) < 100);
    }
}
