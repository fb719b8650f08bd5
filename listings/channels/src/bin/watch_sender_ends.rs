//! The task ends when the configuration's owner goes.

// ANCHOR: follow
use tokio::sync::watch;

/// Follows the limit for as long as there is somebody who sets it.
async fn follow(mut limit: watch::Receiver<u32>) -> u32 {
    // An error is the end of the channel. The last value stays.
    while limit.changed().await.is_ok() {
        println!("the limit is {}", *limit.borrow_and_update());
    }
    *limit.borrow()
}
// ANCHOR_END: follow

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (sender, limit) = watch::channel(8);
    let follower = tokio::spawn(follow(limit));
    sender.send_replace(20);
    tokio::task::yield_now().await;
    drop(sender);
    match follower.await {
        Ok(last) => println!("it ended, the last limit was {last}"),
        Err(error) => println!("it failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_when_the_sender_goes() {
        let (sender, limit) = watch::channel(8);
        let follower = tokio::spawn(follow(limit));
        drop(sender);
        assert_eq!(follower.await.expect("it does not panic"), 8);
    }
}
