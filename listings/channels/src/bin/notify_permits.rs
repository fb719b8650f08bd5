//! Count the wakeups that `notify_one` stores.

// ANCHOR: permits
use futures::{FutureExt, poll};
use tokio::sync::Notify;

/// How many waits return after this many calls of `notify_one`, all
/// of them before any task waits?
fn notified_before(times: u32) -> usize {
    let notify = Notify::new();
    for _ in 0..times {
        notify.notify_one();
    }
    let mut ended = 0;
    while notify.notified().now_or_never().is_some() {
        ended += 1;
    }
    ended
}

/// Two futures that weren't polled, and two calls of `notify_one`:
/// how many return? `enable` puts a future into the queue.
async fn created_and_not_polled(enabled: bool) -> usize {
    let notify = Notify::new();
    let mut one = Box::pin(notify.notified());
    let mut two = Box::pin(notify.notified());
    if enabled {
        one.as_mut().enable();
        two.as_mut().enable();
    }
    notify.notify_one();
    notify.notify_one();
    let ended = [poll!(one), poll!(two)];
    ended.into_iter().filter(|it| it.is_ready()).count()
}
// ANCHOR_END: permits

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("notified once before:  {} ends", notified_before(1));
    println!("notified twice before: {} ends", notified_before(2));
    let ended = created_and_not_polled(false).await;
    println!("two, not polled:       {ended} ends");
    let ended = created_and_not_polled(true).await;
    println!("two, enabled:          {ended} end");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_permit_is_kept_and_no_more() {
        assert_eq!([notified_before(1), notified_before(2)], [1, 1]);
        assert_eq!(created_and_not_polled(false).await, 1);
        assert_eq!(created_and_not_polled(true).await, 2);
    }
}
