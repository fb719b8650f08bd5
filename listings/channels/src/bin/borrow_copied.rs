//! Copy the value out of the guard, so that the sender needn't wait.

// ANCHOR: copied
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tokio::sync::watch;

/// Reads the configuration until it was set. Returns the value that it
/// read, and the value afterward.
fn read_while_it_is_set() -> (&'static str, &'static str) {
    let (sender, config) = watch::channel("old");
    let is_set = AtomicBool::new(false);
    let read = thread::scope(|scope| {
        // Copied in its own statement, so the guard is dropped here.
        // Put a large value in an `Arc`: its clone is cheap.
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
    fn slow_reading_while_it_is_set() {
        assert_eq!(read_while_it_is_set(), ("old", "new"));
    }
}
