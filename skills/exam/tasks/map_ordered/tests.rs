//! Slow calls, failures, panics, and what still runs afterwards.

use super::solution::{Failure, map_ordered};
use futures::FutureExt;
use std::future::pending;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused outputs_come_in_the_order_of_the_inputs,
    paused a_slow_call_does_not_hold_up_the_others,
    paused a_failure_is_returned_at_once,
    paused a_panic_names_its_input,
    threads calls_run_on_several_threads,
    threads nothing_runs_once_it_has_returned,
    paused a_dropped_map_ends_its_calls,
}

fn at_most(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).expect("not zero")
}

/// Counts the calls that are running.
#[derive(Clone, Default)]
struct Running(Arc<AtomicUsize>);

struct Call(Running);

impl Running {
    fn enter(&self) -> Call {
        self.0.fetch_add(1, Ordering::SeqCst);
        Call(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn outputs_come_in_the_order_of_the_inputs() {
    let (running, most) = (Running::default(), Arc::new(AtomicUsize::new(0)));
    let highest = most.clone();
    let double = move |number: u64| {
        let (running, highest) = (running.clone(), highest.clone());
        async move {
            let _call = running.enter();
            highest.fetch_max(running.count(), Ordering::SeqCst);
            sleep(Duration::from_millis(number * 7919 % 100)).await;
            Ok::<_, String>(number * 2)
        }
    };
    let outputs = map_ordered((0..500).collect(), at_most(8), double).await;
    let expected = (0..500).map(|number| number * 2).collect();
    assert_eq!(outputs, Ok(expected), "the outputs are wrong");
    let most = most.load(Ordering::SeqCst);
    assert_eq!(most, 8, "{most} calls ran at a time, and the limit is 8");
    let none = map_ordered(vec![], at_most(8), async |(): ()| Ok::<(), ()>(())).await;
    assert_eq!(none, Ok(vec![]), "no input, so no output");
}

async fn a_slow_call_does_not_hold_up_the_others() {
    let start = Instant::now();
    let work = |number: u64| async move {
        sleep(Duration::from_secs(if number == 0 { 100 } else { 1 })).await;
        Ok::<_, String>(number)
    };
    let outputs = map_ordered((0..=500).collect(), at_most(5), work).await;
    assert_eq!(outputs, Ok((0..=500).collect()), "the outputs are wrong");
    let took = start.elapsed().as_secs();
    assert!(
        took <= 125,
        "600 s of work in five places took {took} s: places were free"
    );
}

async fn a_failure_is_returned_at_once() {
    let start = Instant::now();
    let work = |number: u64| async move {
        if number == 40 {
            sleep(Duration::from_secs(1)).await;
            return Err("disk full");
        }
        pending::<Result<(), _>>().await
    };
    let result = map_ordered((0..500).collect(), at_most(64), work);
    let result = timeout(Duration::from_secs(60), result).await;
    let result = result.expect("input 40 failed, and a minute later it still waits");
    let expected = Failure::Returned {
        input: 40,
        error: "disk full",
    };
    assert_eq!(result, Err(expected), "the wrong failure");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "the failure came late"
    );
}

async fn a_panic_names_its_input() {
    let later = |number: u64| async move {
        sleep(Duration::from_secs(number)).await;
        if number == 7 {
            panic!("number {number} is bad");
        }
        Ok::<_, String>(number)
    };
    let result = map_ordered((0..50).collect(), at_most(50), later).await;
    let expected = Failure::Panicked {
        input: 7,
        message: "number 7 is bad".into(),
    };
    assert_eq!(result, Err(expected), "a panic in the future");

    let at_once = |number: u64| {
        assert!(number != 7, "bad");
        async move { Ok::<_, String>(number) }
    };
    let result = map_ordered((0..50).collect(), at_most(4), at_once);
    let result = AssertUnwindSafe(result).catch_unwind().await;
    let result = result.expect("a panic of `f` went through `map_ordered`");
    let expected = Failure::Panicked {
        input: 7,
        message: "bad".into(),
    };
    assert_eq!(result, Err(expected), "a panic of `f`, before its future");
}

async fn calls_run_on_several_threads() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let meet = move |_: u64| {
        let arrived = arrived.clone();
        async move {
            arrived.fetch_add(1, Ordering::SeqCst);
            // As computing does, this keeps the thread.
            for _ in 0..200 {
                if arrived.load(Ordering::SeqCst) == 2 {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err("the other call didn't run meanwhile")
        }
    };
    let result = map_ordered(vec![0, 1], at_most(2), meet).await;
    assert_eq!(result, Ok(vec![(), ()]), "two calls, four threads");
}

async fn nothing_runs_once_it_has_returned() {
    let (running, is_busy) = (Running::default(), Arc::new(Notify::new()));
    let calls = running.clone();
    let work = move |number: u64| {
        let (calls, is_busy) = (calls.clone(), is_busy.clone());
        async move {
            let _call = calls.enter();
            if number == 0 {
                is_busy.notified().await;
                return Err("failed");
            }
            // From another thread: a task that this one woke would wait for this thread.
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                is_busy.notify_one();
            });
            // As computing does, this keeps the thread.
            std::thread::sleep(Duration::from_millis(700));
            pending::<Result<(), _>>().await
        }
    };
    let result = map_ordered(vec![0, 1], at_most(2), work).await;
    let count = running.count();
    assert!(result.is_err(), "input 0 failed");
    assert_eq!(count, 0, "calls still ran when it had returned");
}

async fn a_dropped_map_ends_its_calls() {
    let running = Running::default();
    let calls = running.clone();
    let work = move |_: u64| {
        let call = calls.enter();
        async move {
            let _call = call;
            pending::<Result<(), ()>>().await
        }
    };
    let map = map_ordered((0..100).collect(), at_most(10), work);
    let canceled = timeout(Duration::from_secs(1), map).await;
    assert!(canceled.is_err(), "its calls hang");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.count(), 0, "calls go on without their caller");
}
