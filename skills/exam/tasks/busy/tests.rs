//! Sources that are silent, slow, or always ready.

use super::solution::drain;
use futures::{StreamExt, stream};
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

exam::tests! {
    paused all_items_are_handled_in_order,
    paused a_silent_source_is_left_at_the_limit,
    paused an_item_is_handled_to_its_end,
    paused the_next_call_goes_on,
    current the_limit_holds_for_a_source_that_is_always_ready,
    current other_tasks_run_meanwhile,
    current other_tasks_run_between_items_that_compute,
}

const SECOND: Duration = Duration::from_secs(1);

/// An endless source without a wait, which ends after two seconds so that the test does, too.
fn always_ready() -> impl futures::Stream<Item = u64> + Unpin {
    let start = std::time::Instant::now();
    stream::iter((0..).take_while(move |_| start.elapsed() < 2 * SECOND))
}

async fn all_items_are_handled_in_order() {
    let (mut seen, mut source) = (Vec::new(), stream::iter(0..1000));
    let count = drain(&mut source, Duration::MAX, |number| {
        seen.push(number);
        sleep(Duration::from_millis(1))
    });
    assert_eq!(count.await, 1000, "it counted wrong");
    assert_eq!(seen, (0..1000).collect::<Vec<_>>(), "the wrong items");
}

async fn a_silent_source_is_left_at_the_limit() {
    let start = Instant::now();
    let mut source = stream::iter(0..3).chain(stream::pending());
    let count = drain(&mut source, 10 * SECOND, |_| sleep(SECOND)).await;
    assert_eq!(count, 3, "the source had three items");
    assert_eq!(start.elapsed().as_secs(), 10, "the limit was 10 s");
}

async fn an_item_is_handled_to_its_end() {
    let start = Instant::now();
    let ends = Arc::new(AtomicUsize::new(0));
    let mut source = stream::iter(0..100);
    let count = drain(&mut source, 15 * SECOND, |_| {
        let ends = ends.clone();
        async move {
            sleep(10 * SECOND).await;
            ends.fetch_add(1, Ordering::SeqCst);
        }
    });
    let count = count.await;
    let ended = ends.load(Ordering::SeqCst);
    assert_eq!(ended, 2, "an item that was taken wasn't handled to its end");
    assert_eq!(count, 2, "it counted wrong");
    assert_eq!(start.elapsed().as_secs(), 20, "two items of 10 s");
    assert_eq!(source.next().await, Some(2), "it took another item");
}

async fn the_next_call_goes_on() {
    let (sender, receiver) = mpsc::channel(1);
    let feed = async move {
        for number in 0..100 {
            sleep(Duration::from_millis(700)).await;
            sender.send(number).await.expect("the source is read");
        }
    };
    let mut source = ReceiverStream::new(receiver);
    let (mut seen, mut total) = (Vec::new(), 0);
    let drained = async {
        while total < 100 {
            let count = drain(&mut source, SECOND, |number| {
                seen.push(number);
                ready(())
            });
            total += count.await;
        }
    };
    let both = async { tokio::join!(feed, drained) };
    let ended = timeout(600 * SECOND, both).await;
    assert!(ended.is_ok(), "items are missing");
    let all: Vec<_> = (0..100).collect();
    assert_eq!(seen, all, "an item was lost between two calls");
}

async fn the_limit_holds_for_a_source_that_is_always_ready() {
    let start = std::time::Instant::now();
    let mut source = always_ready();
    let count = drain(&mut source, Duration::from_millis(100), |_| ready(())).await;
    let took = start.elapsed();
    assert!(took < SECOND, "with a limit of 100 ms, it took {took:?}");
    assert!(count > 0, "nothing was handled");
}

/// A task that would run every 10 ms, and counts how often it does.
fn other_task() -> Arc<AtomicUsize> {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(10)).await;
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    runs
}

async fn other_tasks_run_meanwhile() {
    let (runs, mut source) = (other_task(), always_ready());
    drain(&mut source, Duration::from_millis(500), |_| ready(())).await;
    let runs = runs.load(Ordering::SeqCst);
    assert!(
        runs >= 5,
        "in 500 ms, a task with sleeps of 10 ms ran {runs} times"
    );
}

async fn other_tasks_run_between_items_that_compute() {
    let (runs, mut source) = (other_task(), always_ready());
    drain(&mut source, SECOND, |_| {
        // As computing does, this keeps the thread.
        std::thread::sleep(Duration::from_millis(5));
        ready(())
    })
    .await;
    let runs = runs.load(Ordering::SeqCst);
    assert!(
        runs >= 10,
        "in 1 s, a task with sleeps of 10 ms ran {runs} times"
    );
}
