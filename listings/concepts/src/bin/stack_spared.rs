//! Create large values on the heap, so they are never on the stack.

use tokio::task::yield_now;

// ANCHOR: import
/// Keeps only a pointer to four megabytes.
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

    /// The other fix: a larger stack.
    #[test]
    fn a_large_future_fits_on_a_larger_stack() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_stack_size(128 << 20)
            .build()
            .expect("a runtime");
        let large = runtime.spawn(async { Box::pin(large()).await });
        assert_eq!(runtime.block_on(large).ok(), Some(0));
    }

    async fn large() -> u8 {
        let page = [0u8; 4 << 20];
        yield_now().await;
        page[0]
    }
}
