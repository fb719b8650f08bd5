//! Wrong: while a reader holds the guard, `send` blocks its thread.

// ANCHOR: wrong
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// Reads the configuration for as long as `reading` takes. Could it
/// be set in the meantime, and afterward?
fn read_while_it_is_set(reading: impl FnOnce()) -> (bool, bool) {
    let (sender, config) = watch::channel("old");
    let is_set = AtomicBool::new(false);
    let meanwhile = thread::scope(|scope| {
        // Wrong: this guard holds a lock for as long as we read.
        let old = config.borrow();
        scope.spawn(|| {
            sender.send_replace("new"); // Not async: it blocks.
            is_set.store(true, Ordering::SeqCst);
        });
        reading();
        let meanwhile = is_set.load(Ordering::SeqCst);
        assert_eq!(*old, "old");
        meanwhile
    });
    (meanwhile, is_set.load(Ordering::SeqCst))
}
// ANCHOR_END: wrong

/// A slow reader: it takes 50 ms of real time.
fn slowly() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(50) {
        thread::yield_now();
    }
}

fn main() {
    let (meanwhile, afterwards) = read_while_it_is_set(slowly);
    println!("set while it is read: {meanwhile}");
    println!("set afterwards:       {afterwards}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_reading_while_it_is_set() {
        assert_eq!(read_while_it_is_set(slowly), (false, true));
    }
}
