//! Find a deadlock without waiting: a paused clock and a timeout.

// ANCHOR: detector
use tokio::time::{Duration, timeout};

/// Longer than anything in a test should take.
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, PartialEq)]
struct Hangs;

/// Runs a scenario until it completes, or reports that it hangs.
///
/// Needs a paused clock. If every task waits for another one, the clock
/// jumps to the end of the day. If a task has an interval, all ticks of
/// that day come first. Doesn't return if a task blocks its thread or
/// never yields.
async fn ends<F: Future>(scenario: F) -> Result<F::Output, Hangs> {
    timeout(DAY, scenario).await.map_err(|_| Hangs)
}
// ANCHOR_END: detector

use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};

// ANCHOR: scenarios
/// Acquires two locks, with some time in between.
async fn move_stock(from: &Mutex<u32>, to: &Mutex<u32>) {
    let mut from = from.lock().await;
    sleep(Duration::from_millis(1)).await;
    *to.lock().await += *from;
    *from = 0;
}

async fn in_one_order() {
    let (north, south) = (Mutex::new(3), Mutex::new(4));
    tokio::join!(
        move_stock(&north, &south),
        move_stock(&north, &south),
    );
}

async fn in_two_orders() {
    let (north, south) = (Mutex::new(3), Mutex::new(4));
    tokio::join!(
        move_stock(&north, &south),
        move_stock(&south, &north),
    );
}

/// Its own sender is still alive, so the queue is never closed.
async fn waits_for_itself() {
    let (sender, mut orders) = mpsc::channel(8);
    while orders.recv().await.is_some() {}
    drop::<mpsc::Sender<u32>>(sender);
}

async fn takes_half_a_day() {
    sleep(DAY / 2).await;
}
// ANCHOR_END: scenarios

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("in one order:     {:?}", ends(in_one_order()).await);
    println!("in two orders:    {:?}", ends(in_two_orders()).await);
    println!("waits for itself: {:?}", ends(waits_for_itself()).await);
    let slow = ends(takes_half_a_day()).await;
    println!("takes half a day: {slow:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_told_from_slow() {
        assert_eq!(ends(in_one_order()).await, Ok(()));
        assert_eq!(ends(in_two_orders()).await, Err(Hangs));
        assert_eq!(ends(waits_for_itself()).await, Err(Hangs));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_not_hanging() {
        assert_eq!(ends(takes_half_a_day()).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the scenario")]
    async fn panic_of_a_scenario_fails_the_test() {
        let _hangs = ends(async { panic!("the scenario") }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn clock_of_a_task_that_ticks_is_over_soon() {
        let real = std::time::Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async {
            let mut ticks =
                tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
            }
        });
        assert_eq!(ends(in_two_orders()).await, Err(Hangs));
        assert!(real.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_day() {
        assert_eq!(ends(async { 7 }).await, Ok(7));
        let second = Duration::from_secs(1);
        assert_eq!(ends(sleep(DAY - second)).await, Ok(()));
        assert_eq!(ends(sleep(DAY + second)).await, Err(Hangs));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_a_scenario_that_hangs_is_dropped() {
        let lock = std::sync::Arc::new(Mutex::new(0));
        let held = std::sync::Arc::clone(&lock);
        let scenario = async move {
            let _held = held.lock().await;
            std::future::pending::<()>().await;
        };
        assert_eq!(ends(scenario).await, Err(Hangs));
        assert!(lock.try_lock().is_ok());
    }
}
