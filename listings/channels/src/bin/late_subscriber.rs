//! What a broadcast channel keeps, for whom, and for how long.

// ANCHOR: keeps
use std::sync::Arc;

use tokio::sync::broadcast::{self, error::TryRecvError};

/// With a capacity of three, and this many messages sent before the
/// first `recv`: what `len` returns, and how many are missed.
fn missed_of(sent: u32) -> (usize, u64) {
    let (sender, mut messages) = broadcast::channel(3);
    for message in 0..sent {
        sender.send(message).expect("one listens");
    }
    let length = messages.len();
    match messages.try_recv() {
        Err(TryRecvError::Lagged(missed)) => (length, missed),
        _ => (length, 0),
    }
}

/// Does a receiver that subscribes after a message get it? And a
/// receiver that is made by `resubscribe`?
fn late() -> (bool, bool) {
    let (sender, first) = broadcast::channel(4);
    sender.send("opening").expect("one listens");
    let subscribed = sender.subscribe().try_recv().is_ok();
    (subscribed, first.resubscribe().try_recv().is_ok())
}

/// Is a message still held that one of two receivers has read? And
/// after the other one is dropped?
fn holders() -> (usize, usize) {
    let (sender, mut quick) = broadcast::channel(4);
    let slow = sender.subscribe();
    let message = Arc::new("a large one");
    sender.send(Arc::clone(&message)).expect("two listen");
    drop(quick.try_recv());
    let before = Arc::strong_count(&message) - 1;
    drop(slow);
    (before, Arc::strong_count(&message) - 1)
}
// ANCHOR_END: keeps

fn main() {
    let (subscribed, resubscribed) = late();
    for sent in [4, 5, 6] {
        let (length, missed) = missed_of(sent);
        println!(
            "capacity 3, sent {sent}: length {length}, {missed} missed"
        );
    }
    println!("a late subscriber gets it: {subscribed}");
    println!("one that resubscribed:     {resubscribed}");
    let (before, after) = holders();
    println!(
        "held for the slow one: {before}, after it was dropped: {after}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_is_four() {
        assert_eq!(missed_of(4), (4, 0));
        assert_eq!(missed_of(5), (5, 1));
        assert_eq!(missed_of(6), (6, 2));
    }

    /// The receiver that hasn't read them drops all that are left, in
    /// its own `drop`.
    #[test]
    fn slow_receiver_drops_the_unread_messages_itself() {
        let (sender, slow) = broadcast::channel(1024);
        let message = Arc::new("a large one");
        for _ in 0..5000 {
            sender.send(Arc::clone(&message)).expect("one listens");
        }
        assert_eq!(Arc::strong_count(&message), 1025);
        let _other = sender.subscribe();
        drop(slow);
        assert_eq!(Arc::strong_count(&message), 1);
    }

    #[test]
    fn it_keeps_for_the_slowest_and_not_for_the_late() {
        assert_eq!(late(), (false, false));
        assert_eq!(holders(), (1, 0));
    }
}
