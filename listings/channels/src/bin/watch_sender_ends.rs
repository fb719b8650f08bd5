//! The task ends when the configuration's owner is dropped.

// ANCHOR: follow
use tokio::sync::watch;

/// Follows the limit until the last sender is dropped.
async fn follow(mut limit: watch::Receiver<u32>) -> u32 {
    // Fails when the channel is closed and the last value was seen.
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
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn owner_gone_before_any_change() {
        let (sender, limit) = watch::channel(8);
        let follower = tokio::spawn(follow(limit));
        drop(sender);
        let last = within(HOUR, follower).await;
        assert_eq!(last.expect("it doesn't panic"), 8);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_right_after_a_change() {
        let (sender, limit) = watch::channel(8);
        sender.send_replace(20);
        drop(sender);
        assert_eq!(within(HOUR, follow(limit)).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_owner_is_waited_for() {
        let (sender, limit) = watch::channel(8);
        let quiet = async {
            tokio::time::sleep(HOUR).await;
            sender.send_replace(20);
            drop(sender);
        };
        let (last, ()) = tokio::join!(follow(limit), quiet);
        assert_eq!(last, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_last_value() {
        at_every_poll(async |cancel| {
            let (sender, limit) = watch::channel(8);
            let change = async {
                sender.send_replace(20);
                tokio::task::yield_now().await;
                sender.send_replace(30);
                drop(sender);
            };
            let one = cancel.run(follow(limit.clone()));
            tokio::join!(one, change);
            assert_eq!(follow(limit).await, 30);
        })
        .await;
    }
}
