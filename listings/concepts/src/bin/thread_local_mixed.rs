//! Wrong: two requests on one thread share a thread-local.

use std::cell::Cell;

use tokio::task::yield_now;

// ANCHOR: wrong
thread_local! {
    static REQUEST: Cell<u32> = const { Cell::new(0) };
}

/// Wrong: while this waits, other tasks run on the same thread, and
/// set the same variable. This task may also move to another thread.
async fn handle(request: u32) -> u32 {
    REQUEST.set(request);
    yield_now().await;
    println!("request {request} logs as {}", REQUEST.get());
    REQUEST.get()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let one = tokio::spawn(handle(1));
    let two = tokio::spawn(handle(2));
    one.await.expect("it does not panic");
    two.await.expect("it does not panic");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_keep_their_requests_apart() {
        // They don't, even on one thread: the last write wins.
        let one = tokio::spawn(handle(1));
        let two = tokio::spawn(handle(2));
        assert_eq!(one.await.expect("no panic"), 2);
        assert_eq!(two.await.expect("no panic"), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_many_threads_it_may_be_another_thread() {
        let joined = tokio::spawn(handle(3)).await;
        assert!(joined.is_ok());
    }
}
