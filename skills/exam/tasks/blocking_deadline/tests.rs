//! Calls that hang, and the places and threads that they keep.

use super::solution::{Calls, Failure};
use futures::poll;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

exam::tests! {
    current outputs_and_panics_arrive,
    current the_time_is_limited,
    plain a_hanging_call_keeps_no_runtime,
    current abandoned_calls_keep_their_places,
    current canceled_callers_keep_their_places,
    current places_come_back,
}

const SECOND: Duration = Duration::from_secs(1);

/// Counts calls: those that were made, those that run, and the most that ran at a time.
#[derive(Clone, Default)]
struct Counted {
    made: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counted {
    /// A call that blocks.
    fn blocking(&self, duration: Duration) -> impl FnOnce() + Send + use<> {
        let counted = self.clone();
        move || {
            counted.made.fetch_add(1, Ordering::SeqCst);
            let running = counted.running.fetch_add(1, Ordering::SeqCst) + 1;
            counted.most.fetch_max(running, Ordering::SeqCst);
            thread::sleep(duration);
            counted.running.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

async fn outputs_and_panics_arrive() {
    let calls = Calls::new(4);
    let output = calls.call(5 * SECOND, || "done".to_owned()).await;
    assert_eq!(output, Ok("done".to_owned()), "the output is wrong");
    let number = 7;
    let panics = move || -> u32 { panic!("row {number} is bad") };
    let output = calls.call(5 * SECOND, panics).await;
    let expected = Failure::Panicked("row 7 is bad".into());
    assert_eq!(output, Err(expected), "the panic is wrong");
}

async fn the_time_is_limited() {
    let (calls, start) = (Calls::new(1), Instant::now());
    let limit = Duration::from_millis(100);
    let output = calls.call(limit, || thread::sleep(2 * SECOND)).await;
    assert_eq!(output, Err(Failure::TimedOut), "the call takes longer");
    // Now the place is taken, and the wait for it counts, too.
    let output = calls.call(limit, || ()).await;
    assert_eq!(output, Err(Failure::TimedOut), "there is no place");
    let took = start.elapsed();
    assert!(took < SECOND, "two limits of 100 ms took {took:?}");
}

fn a_hanging_call_keeps_no_runtime() {
    // As `#[tokio::main]` does it.
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be started");
    runtime.block_on(async {
        let calls = Calls::new(4);
        let limit = Duration::from_millis(100);
        let output = calls.call(limit, || thread::sleep(4 * SECOND)).await;
        assert_eq!(output, Err(Failure::TimedOut), "the call takes longer");
    });
    let start = Instant::now();
    drop(runtime);
    let took = start.elapsed();
    assert!(
        took < 2 * SECOND,
        "the end of `main` took {took:?}: a call hangs"
    );
}

async fn abandoned_calls_keep_their_places() {
    let (calls, counted) = (Calls::new(2), Counted::default());
    for _ in 0..6 {
        let call = counted.blocking(SECOND);
        let output = calls.call(Duration::from_millis(50), call).await;
        assert_eq!(output, Err(Failure::TimedOut), "the call takes longer");
    }
    sleep(2 * SECOND).await;
    let most = counted.most.load(Ordering::SeqCst);
    assert!(most <= 2, "{most} calls ran at a time, and the limit is 2");
    let made = counted.made.load(Ordering::SeqCst);
    assert_eq!(made, 2, "calls were made although their time was over");
}

async fn canceled_callers_keep_their_places() {
    let (calls, counted) = (Calls::new(2), Counted::default());
    for _ in 0..6 {
        let call = counted.blocking(SECOND);
        let mut canceled = Box::pin(calls.call(60 * SECOND, call));
        for _ in 0..5 {
            assert!(
                poll!(canceled.as_mut()).is_pending(),
                "the call takes longer"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    let most = counted.most.load(Ordering::SeqCst);
    assert!(most <= 2, "{most} calls ran at a time, and the limit is 2");
}

async fn places_come_back() {
    let calls = Calls::new(1);
    for _ in 0..3 {
        let output = calls.call(5 * SECOND, || panic!("bad")).await;
        let expected: Result<(), _> = Err(Failure::Panicked("bad".into()));
        assert_eq!(output, expected, "the panic is wrong");
    }
    let limit = Duration::from_millis(50);
    let output = calls.call(limit, || thread::sleep(SECOND / 2)).await;
    assert_eq!(output, Err(Failure::TimedOut), "the call takes longer");
    let output = timeout(8 * SECOND, calls.call(5 * SECOND, || 7)).await;
    assert_eq!(
        output,
        Ok(Ok(7)),
        "all calls have ended, and there is no place"
    );
}
