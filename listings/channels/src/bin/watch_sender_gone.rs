//! Wrong: the task panics when the configuration's owner is dropped.

// ANCHOR: wrong
use tokio::sync::watch;

/// Follows the limit until the last sender is dropped.
async fn follow(mut limit: watch::Receiver<u32>) -> u32 {
    loop {
        // Wrong: the error means that the channel is closed, which
        // happens at every shutdown.
        limit.changed().await.unwrap();
        println!("the limit is {}", *limit.borrow_and_update());
    }
}
// ANCHOR_END: wrong

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
    async fn owner_gone_before_any_change() {
        let (sender, limit) = watch::channel(8);
        let follower = tokio::spawn(follow(limit));
        drop(sender);
        let error = follower.await.expect_err("it panics");
        assert!(error.is_panic());
    }
}
