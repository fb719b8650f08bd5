//! Timers.

use crate::row::{agrees, drop_pending};
use futures::StreamExt;
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, interval, sleep, timeout};
use tokio_util::time::DelayQueue;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn sleep_anew() {
    let start = Instant::now();
    drop_pending!(sleep(SECOND));
    advance(SECOND / 2).await;
    sleep(SECOND).await;
    assert_eq!(start.elapsed(), SECOND * 3 / 2);
    agrees("sleep_anew", "not_safe", "the time that has passed");
}

#[tokio::test(start_paused = true)]
async fn sleep_lent() {
    let start = Instant::now();
    let mut limit = pin!(sleep(SECOND));
    drop_pending!(&mut limit);
    advance(SECOND / 2).await;
    limit.await;
    assert_eq!(start.elapsed(), SECOND);
    agrees("sleep_lent", "safe", "nothing");
}

#[tokio::test(start_paused = true)]
async fn interval_tick() {
    let mut due = interval(SECOND);
    let first = due.tick().await;
    drop_pending!(due.tick());
    assert_eq!(due.tick().await, first + SECOND);
    agrees("interval_tick", "safe", "nothing");
}

#[tokio::test(start_paused = true)]
async fn delay_queue_next() {
    let start = Instant::now();
    let mut due = DelayQueue::new();
    due.insert("reminder", SECOND);
    drop_pending!(due.next());
    let expired = due.next().await.expect("one is in it");
    assert_eq!(expired.into_inner(), "reminder");
    // A timer is due within a millisecond of its time.
    assert_eq!(start.elapsed().as_secs(), SECOND.as_secs());
    agrees("delay_queue_next", "safe", "nothing");
}

#[tokio::test(start_paused = true)]
async fn timeout_inner() {
    let steps = Cell::new(0);
    let work = async {
        yield_now().await;
        steps.set(1);
    };
    drop_pending!(timeout(SECOND, work));
    yield_now().await;
    assert_eq!(steps.get(), 0);
    agrees("timeout_inner", "as_inner", "whatever the inner future loses");
}
