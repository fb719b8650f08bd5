//! The value is copied out, and the sender is not held up.

// ANCHOR: copied
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tokio::sync::watch;

/// Reads the configuration until it was set. Returns what it read, and
/// what there is afterwards.
fn read_while_it_is_set() -> (&'static str, &'static str) {
    let (sender, config) = watch::channel("old");
    let is_set = AtomicBool::new(false);
    let read = thread::scope(|scope| {
        // Copied in a statement of its own: the guard ends with it.
        // What is large goes behind a pointer that is cheap to clone.
        let old = *config.borrow();
        scope.spawn(|| {
            sender.send_replace("new");
            is_set.store(true, Ordering::SeqCst);
        });
        while !is_set.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        old
    });
    let afterwards = *config.borrow();
    (read, afterwards)
}
// ANCHOR_END: copied

fn main() {
    let (read, afterwards) = read_while_it_is_set();
    println!("read: {read}, set meanwhile: {afterwards}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_set_while_it_is_read() {
        assert_eq!(read_while_it_is_set(), ("old", "new"));
    }
}
