//! What a watch channel tells, and what it does not.

// ANCHOR: tells
use futures::FutureExt;
use tokio::sync::watch;

/// What a receiver sees of three values that come before it looks.
async fn three_at_once() -> Vec<&'static str> {
    let (sender, mut level) = watch::channel("none");
    let mut seen = Vec::new();
    for value in ["low", "high", "low"] {
        sender.send_replace(value);
    }
    while let Some(Ok(())) = level.changed().now_or_never() {
        seen.push(*level.borrow_and_update());
    }
    seen
}

/// Is the value that a channel begins with a change?
fn first_is_a_change() -> bool {
    let (_sender, mut level) = watch::channel("none");
    level.changed().now_or_never().is_some()
}

/// Is a value that was only borrowed told once more?
fn borrowed_is_told_again() -> bool {
    let (sender, mut level) = watch::channel("none");
    sender.send_replace("low");
    println!("(it is {})", *level.borrow());
    level.changed().now_or_never().is_some()
}
// ANCHOR_END: tells

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("three at once: {:?}", three_at_once().await);
    println!("the first value is a change: {}", first_is_a_change());
    println!("borrowed, told again: {}", borrowed_is_told_again());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_newest_is_told_and_once() {
        assert_eq!(three_at_once().await, ["low"]);
        assert!(!first_is_a_change());
        assert!(borrowed_is_told_again());
    }
}
