//! Print the sizes of futures.

use tokio::task::yield_now;

// ANCHOR: sizes
/// The page is needed after the await, so the future stores it.
async fn holds() -> u8 {
    let page = [0u8; 4096];
    yield_now().await;
    page[0]
}

/// The page is dropped before the await.
async fn scoped() -> u8 {
    let first = {
        let page = [0u8; 4096];
        page[0]
    };
    yield_now().await;
    first
}

/// The page is on the heap, so the future stores a pointer.
async fn heap() -> u8 {
    let page = vec![0u8; 4096];
    yield_now().await;
    page[0]
}

/// The future of a call is stored in its caller's future.
async fn calls() -> u8 {
    holds().await
}

async fn calls_boxed() -> u8 {
    Box::pin(holds()).await
}

/// An argument is stored twice, as it is passed and as a variable.
async fn takes(page: [u8; 4096]) -> u8 {
    yield_now().await;
    page[0]
}
// ANCHOR_END: sizes

fn main() {
    let sizes = [
        ("holds", size_of_val(&holds())),
        ("scoped", size_of_val(&scoped())),
        ("heap", size_of_val(&heap())),
        ("calls", size_of_val(&calls())),
        ("calls_boxed", size_of_val(&calls_boxed())),
        ("takes", size_of_val(&takes([0; 4096]))),
    ];
    for (name, bytes) in sizes {
        println!("{name:<12} {bytes:>5} bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_kept() {
        assert!(size_of_val(&holds()) > 4096);
        assert!(size_of_val(&scoped()) < 100);
        assert!(size_of_val(&heap()) < 100);
        assert!(size_of_val(&calls()) > 4096);
        assert!(size_of_val(&calls_boxed()) < 100);
        assert!(size_of_val(&takes([0; 4096])) > 8192);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn they_do_the_same() {
        assert_eq!(holds().await + scoped().await + heap().await, 0);
        assert_eq!(calls().await + calls_boxed().await, 0);
        assert_eq!(takes([7; 4096]).await, 7);
    }
}
