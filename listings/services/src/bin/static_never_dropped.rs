//! Wrong: a static owns the container, and statics are never dropped.

// ANCHOR: wrong
use std::sync::{Arc, LazyLock};

// Wrong: nothing ever drops the static's `Arc`.
static RUNNING: LazyLock<Arc<Container>> =
    LazyLock::new(|| Arc::new(Container::start()));

fn main() {
    let first = Arc::clone(&RUNNING);
    let second = Arc::clone(&RUNNING);
    drop(first);
    println!("the first test is done");
    drop(second);
    println!("the second test is done");
}
// ANCHOR_END: wrong

/// A container, which runs until it's dropped.
struct Container;

impl Container {
    fn start() -> Self {
        println!("the container starts");
        Self
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        #[cfg(test)]
        tests::REMOVED
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        println!("the container is removed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    pub static REMOVED: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn stop_of_the_last_user_removes_the_container() {
        // It doesn't.
        main();
        assert_eq!(REMOVED.load(SeqCst), 0);
    }
}
