//! Count which values a watch channel reports, and which it skips.

// ANCHOR: tells
use futures::FutureExt;
use tokio::sync::watch;

/// Which of three values does a receiver see if it reads afterward?
async fn three_at_once() -> Vec<&'static str> {
    let (sender, mut level) = watch::channel("none");
    for value in ["low", "high", "low"] {
        sender.send_replace(value);
    }
    let mut seen = Vec::new();
    while level.has_changed().is_ok_and(|has_changed| has_changed) {
        seen.push(*level.borrow_and_update());
    }
    seen
}

/// Is the first value of a channel a change?
fn first_is_a_change() -> bool {
    let (_sender, mut level) = watch::channel("none");
    level.changed().now_or_never().is_some()
}

/// Does `changed` report a value that was only borrowed?
fn borrowed_is_a_change() -> bool {
    let (sender, mut level) = watch::channel("none");
    sender.send_replace("low");
    println!("(it is {})", *level.borrow());
    level.changed().now_or_never().is_some()
}

/// Is the value a change for a new receiver? For a clone?
fn new_receivers() -> (bool, bool) {
    let (sender, level) = watch::channel("none");
    sender.send_replace("low");
    let [subscribed, cloned] = [sender.subscribe(), level.clone()]
        .map(|mut it| it.changed().now_or_never().is_some());
    (subscribed, cloned)
}
// ANCHOR_END: tells

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("three at once: {:?}", three_at_once().await);
    println!("the first value is a change: {}", first_is_a_change());
    println!(
        "one that was borrowed is a change: {}",
        borrowed_is_a_change()
    );
    let (subscribed, cloned) = new_receivers();
    println!("for a subscriber: {subscribed}, for a clone: {cloned}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_newest_is_reported_and_once() {
        assert_eq!(three_at_once().await, ["low"]);
        assert!(!first_is_a_change());
        assert!(borrowed_is_a_change());
        assert_eq!(new_receivers(), (false, true));
    }
}
