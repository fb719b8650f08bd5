//! Callers that give up, loads that fail, and who waits for whom.

use super::solution::Prices;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused many_calls_share_one_load,
    paused an_error_reaches_all_and_is_not_kept,
    paused callers_that_give_up_leave_the_load_running,
    paused an_error_that_nobody_waited_for_is_not_kept,
    paused a_slow_waiter_does_not_undo_the_next_load,
    paused a_panic_is_an_error,
    paused dropping_it_ends_the_loads,
}

const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3000);

/// A load takes a second. Product 0 has no price, 1 panics at once, 2 later, 3 takes an hour.
fn prices() -> (Arc<Prices>, Arc<AtomicU32>) {
    let loads = Arc::new(AtomicU32::new(0));
    let counted = loads.clone();
    let prices = Prices::new(move |product| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_ne!(product, 1, "a panic on purpose");
        async move {
            sleep(Duration::from_secs(1)).await;
            assert_ne!(product, 2, "a panic on purpose");
            if product == 3 {
                sleep(HOUR).await;
            }
            match product {
                0 => Err("it has no price".to_owned()),
                _ => Ok(u64::from(product) * 10),
            }
        }
    });
    (Arc::new(prices), loads)
}

async fn ten_calls(prices: &Arc<Prices>, product: u32) -> Vec<Result<u64, String>> {
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let prices = prices.clone();
        calls.spawn(async move { prices.get(product).await });
    }
    calls.join_all().await
}

/// A call that its caller gives up after a moment.
async fn gives_up(prices: &Prices, product: u32) {
    let call = timeout(MOMENT, prices.get(product)).await;
    assert!(call.is_err(), "the load takes longer: {call:?}");
}

async fn many_calls_share_one_load() {
    let (prices, loads) = prices();
    gives_up(&prices, 3).await;
    let start = Instant::now();
    let (seven, eight) = tokio::join!(ten_calls(&prices, 7), ten_calls(&prices, 8));
    assert_eq!(seven, vec![Ok(70); 10], "what ten calls for 7 got");
    assert_eq!(eight, vec![Ok(80); 10], "what ten calls for 8 got");
    let took = start.elapsed();
    assert!(
        took < Duration::from_millis(1500),
        "they waited for another product: {took:?}"
    );
    assert_eq!(prices.get(7).await, Ok(70), "a call after the load");
    assert_eq!(loads.load(Ordering::SeqCst), 3, "loads of three products");
}

async fn an_error_reaches_all_and_is_not_kept() {
    let (prices, loads) = prices();
    for round in 1..=2 {
        let error = Err("it has no price".to_owned());
        assert_eq!(
            ten_calls(&prices, 0).await,
            vec![error; 10],
            "what ten calls got"
        );
        let loads = loads.load(Ordering::SeqCst);
        assert_eq!(loads, round, "loads after {round} times ten calls at once");
    }
}

async fn callers_that_give_up_leave_the_load_running() {
    let (prices, loads) = prices();
    // In all they wait for longer than a load takes, and none of them for so long.
    for _ in 0..3 {
        let call = timeout(Duration::from_millis(400), prices.get(7)).await;
        if let Ok(price) = call {
            assert_eq!(price, Ok(70), "the price");
        }
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1, "a load was started again");
    let call = timeout(MOMENT, prices.get(7)).await;
    assert_eq!(
        call,
        Ok(Ok(70)),
        "the load wasn't finished or its price not kept"
    );
}

async fn an_error_that_nobody_waited_for_is_not_kept() {
    let (prices, loads) = prices();
    gives_up(&prices, 0).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(loads.load(Ordering::SeqCst), 1, "loads so far");
    let start = Instant::now();
    assert!(prices.get(0).await.is_err(), "it has no price");
    assert_eq!(
        loads.load(Ordering::SeqCst),
        2,
        "the call got an old error, and loaded nothing"
    );
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(1),
        "how long the second load took"
    );
}

async fn a_slow_waiter_does_not_undo_the_next_load() {
    let (prices, loads) = prices();
    let mut slow = pin!(prices.get(0));
    let mut quick = pin!(prices.get(0));
    assert!(
        timeout(MOMENT, slow.as_mut()).await.is_err(),
        "the load takes longer"
    );
    assert!(quick.as_mut().await.is_err(), "it has no price");
    gives_up(&prices, 0).await;
    assert_eq!(
        loads.load(Ordering::SeqCst),
        2,
        "after an error, the next call loads"
    );
    assert!(
        slow.as_mut().await.is_err(),
        "the slow waiter shared the first load"
    );
    gives_up(&prices, 0).await;
    let loads = loads.load(Ordering::SeqCst);
    assert_eq!(loads, 2, "the product has two loads at once");
}

async fn a_panic_is_an_error() {
    let (prices, _) = prices();
    for product in [1, 2, 1, 2] {
        for price in ten_calls(&prices, product).await {
            assert!(price.is_err(), "the load of {product} panicked: {price:?}");
        }
    }
    assert_eq!(
        prices.get(7).await,
        Ok(70),
        "another product after the panics"
    );
}

async fn dropping_it_ends_the_loads() {
    let (prices, _) = prices();
    gives_up(&prices, 3).await;
    gives_up(&prices, 7).await;
    drop(prices);
    sleep(MOMENT).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "tasks that still run after the cache was dropped");
}
