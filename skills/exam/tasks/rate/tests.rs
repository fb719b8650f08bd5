//! Waiters that are dropped, or left alone, and an hour of tokens.

use super::solution::Rate;
use futures::poll;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused the_burst_then_the_rate,
    paused a_large_request_is_not_overtaken,
    paused too_many_are_refused_at_once,
    paused a_canceled_waiter_gives_back_its_place,
    paused idle_time_saves_one_burst,
    paused an_unpolled_waiter_holds_up_nobody,
    paused every_token_is_used_for_an_hour,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Asserts that it's this late, up to the resolution of the timer.
fn assert_at(start: Instant, expected: u64, what: &str) {
    let passed = start.elapsed();
    let range = ms(expected.saturating_sub(2))..=ms(expected + 15);
    assert!(
        range.contains(&passed),
        "{what} after {passed:?}, expected after {expected} ms"
    );
}

async fn take(rate: &Rate, n: u32) {
    rate.acquire(n).await.expect("it's not more than the burst");
}

/// Asserts that the bucket of five is full, and takes its tokens. One more may come meanwhile.
async fn assert_full(rate: &Rate, when: &str) {
    let mut count = 0;
    while timeout(ms(5), take(rate, 1)).await.is_ok() {
        count += 1;
    }
    assert!(
        (5..=6).contains(&count),
        "{when}, the bucket of 5 has {count} tokens"
    );
}

async fn the_burst_then_the_rate() {
    let rate = Rate::new(10, 5);
    let start = Instant::now();
    for _ in 0..5 {
        take(&rate, 1).await;
    }
    assert_at(start, 0, "the burst was there");
    for n in 1..=10 {
        take(&rate, 1).await;
        assert_at(start, n * 100, "a token came");
    }
    take(&rate, 4).await;
    assert_at(start, 1400, "four tokens came");
}

async fn a_large_request_is_not_overtaken() {
    let rate = Arc::new(Rate::new(10, 5));
    let start = Instant::now();
    take(&rate, 5).await;
    let mut tasks = Vec::new();
    for (n, expected) in [(5, 500), (1, 600), (2, 800), (1, 900)] {
        let rate = rate.clone();
        tasks.push(tokio::spawn(async move {
            take(&rate, n).await;
            assert_at(start, expected, "a waiter was served");
        }));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.expect("served in order");
    }
}

async fn too_many_are_refused_at_once() {
    let rate = Rate::new(10, 5);
    take(&rate, 5).await;
    let waiting = pin!(rate.acquire(5));
    assert!(poll!(waiting).is_pending(), "the bucket is empty");
    let refused = timeout(ms(5), rate.acquire(6)).await;
    let refused = refused.expect("more than the burst isn't refused at once");
    assert!(refused.is_err(), "more than the burst was served");
}

async fn a_canceled_waiter_gives_back_its_place() {
    let rate = Rate::new(10, 5);
    let start = Instant::now();
    take(&rate, 5).await;
    let mut first = Box::pin(rate.acquire(5));
    let mut second = Box::pin(rate.acquire(1));
    assert!(poll!(first.as_mut()).is_pending(), "the bucket is empty");
    assert!(poll!(second.as_mut()).is_pending(), "the bucket is empty");
    sleep(ms(50)).await;
    drop(first);
    second.await.expect("it's not more than the burst");
    assert_at(start, 100, "the waiter behind a canceled one was served");

    // Its tokens come while nobody polls it.
    let mut granted = Box::pin(rate.acquire(5));
    assert!(poll!(granted.as_mut()).is_pending(), "the bucket is empty");
    sleep(ms(520)).await;
    drop(granted);
    assert_full(&rate, "after a waiter gave up whose tokens had come").await;

    // Many give up, at all moments.
    for wait in (0..500).step_by(7) {
        drop(timeout(ms(wait), rate.acquire(5)).await);
    }
    sleep(ms(600)).await;
    assert_full(&rate, "after many gave up").await;
}

async fn idle_time_saves_one_burst() {
    let rate = Rate::new(10, 5);
    sleep(Duration::from_secs(600)).await;
    assert_full(&rate, "after ten idle minutes").await;
    // Its tokens come while nobody polls it, and then it gives up.
    let mut waiting = Box::pin(rate.acquire(5));
    assert!(poll!(waiting.as_mut()).is_pending(), "the bucket is empty");
    sleep(Duration::from_secs(600)).await;
    drop(waiting);
    assert_full(&rate, "after ten idle minutes and a waiter that gave up").await;
}

async fn an_unpolled_waiter_holds_up_nobody() {
    let rate = Arc::new(Rate::new(10, 5));
    let start = Instant::now();
    take(&rate, 5).await;
    let mut unpolled = Box::pin(rate.acquire(5));
    assert!(poll!(unpolled.as_mut()).is_pending(), "the bucket is empty");
    let others = async {
        for n in [1, 5, 1] {
            take(&rate, n).await;
        }
    };
    let served = timeout(Duration::from_secs(60), others).await;
    served.expect("a waiter that isn't polled holds up the others");
    let passed = start.elapsed();
    assert!(
        passed <= ms(1220),
        "the others were served after {passed:?}, needing 1.2 s"
    );
    let served = timeout(ms(600), unpolled).await;
    let served = served.expect("a waiter isn't served after it was left alone");
    served.expect("it's not more than the burst");
}

async fn every_token_is_used_for_an_hour() {
    // An hour of the paused clock is the limit of a test.
    let seconds = 3000;
    let rate = Rate::new(7, 3);
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        take(&rate, 1).await;
        count += 1;
    }
    let allowed = 7 * seconds;
    assert!(
        count <= allowed + 4,
        "{count} tokens were used, {allowed} and the burst allowed"
    );
    assert!(
        count >= allowed - 4,
        "only {count} tokens of {allowed} came"
    );
}
