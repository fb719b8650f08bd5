//! Tasks, and those who wait for them.

use crate::row::{agrees, drop_pending};
use std::cell::Cell;
use std::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, spawn_blocking, yield_now};
use tokio_util::task::{JoinMap, JoinQueue, TaskTracker};

/// A task that ends when it is told to.
fn gate() -> (oneshot::Sender<u32>, impl Future<Output = Option<u32>>) {
    let (open, opened) = oneshot::channel();
    (open, async { opened.await.ok() })
}

#[tokio::test]
async fn handle_borrowed() {
    let (open, work) = gate();
    let mut task = tokio::spawn(work);
    drop_pending!(&mut task);
    open.send(7).expect("it waits");
    assert_eq!(task.await.ok(), Some(Some(7)));
    agrees("handle_borrowed", "safe", "nothing");
}

#[tokio::test]
async fn handle_given_away() {
    let (open, work) = gate();
    let (done, is_done) = oneshot::channel();
    let task = tokio::spawn(async move { done.send(work.await) });
    drop_pending!(task);
    open.send(7).expect("it waits");
    assert_eq!(is_done.await, Ok(Some(7)));
    agrees("handle_given_away", "goes_on", "the result");
}

#[tokio::test]
async fn join_next() {
    let (open, work) = gate();
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    drop_pending!(tasks.join_next());
    drop_pending!(tasks.join_next_with_id());
    open.send(7).expect("it waits");
    let joined = tasks.join_next().await.expect("one task");
    assert_eq!(joined.ok(), Some(Some(7)));
    agrees("join_next", "safe", "nothing");
}

#[tokio::test]
async fn join_all() {
    let (open, work) = gate();
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    drop_pending!(tasks.join_all());
    yield_now().await;
    assert_eq!(open.send(7), Err(7), "nobody waits for it anymore");
    agrees(
        "join_all",
        "not_safe",
        "all results; the tasks are aborted",
    );
}

#[tokio::test]
async fn shutdown() {
    let (open, work) = gate();
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    drop_pending!(tasks.shutdown());
    tasks.shutdown().await;
    assert!(tasks.is_empty());
    assert_eq!(open.send(7), Err(7));
    agrees("shutdown", "safe", "nothing");
}

#[tokio::test]
async fn keyed_and_ordered_join_next() {
    let (open, work) = gate();
    let mut keyed = JoinMap::new();
    keyed.spawn("a", work);
    drop_pending!(keyed.join_next());
    open.send(7).expect("it waits");
    let (key, joined) = keyed.join_next().await.expect("one task");
    assert_eq!((key, joined.ok()), ("a", Some(Some(7))));

    let (open, work) = gate();
    let mut ordered = JoinQueue::new();
    ordered.spawn(work);
    drop_pending!(ordered.join_next());
    open.send(8).expect("it waits");
    let joined = ordered.join_next().await.expect("one task");
    assert_eq!(joined.ok(), Some(Some(8)));
    agrees("keyed_and_ordered_join_next", "safe", "nothing");
}

#[tokio::test]
async fn queue_join_all() {
    let (open, work) = gate();
    let mut tasks = JoinQueue::new();
    tasks.spawn(work);
    drop_pending!(tasks.join_all());
    yield_now().await;
    assert_eq!(open.send(7), Err(7));
    agrees(
        "queue_join_all",
        "not_safe",
        "all results; the tasks are aborted",
    );
}

#[tokio::test]
async fn tracker_wait() {
    let (open, work) = gate();
    let tracker = TaskTracker::new();
    tracker.spawn(work);
    tracker.close();
    drop_pending!(tracker.wait());
    open.send(7).expect("it waits");
    tracker.wait().await;
    agrees("tracker_wait", "safe", "nothing");
}

#[tokio::test]
async fn blocking() {
    let (open, opened) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let (done, is_done) = oneshot::channel();
    let task = spawn_blocking(move || {
        begun.send(()).ok();
        opened.recv().ok();
        done.send(7)
    });
    has_begun.recv().expect("it begins");
    drop_pending!(task);
    drop(open);
    assert_eq!(is_done.await, Ok(7));
    agrees("blocking", "goes_on", "the result");
}

#[tokio::test]
async fn join_macro() {
    let steps = Cell::new(0);
    let work = || async {
        yield_now().await;
        steps.set(steps.get() + 1);
    };
    drop_pending!(async { tokio::join!(work(), work()) });
    drop_pending!(futures::future::join_all([work(), work()]));
    assert_eq!(steps.get(), 0);
    agrees("join_macro", "as_inner", "whatever the inner future loses");
}

#[tokio::test]
async fn run_until() {
    let steps = Cell::new(0);
    let local = LocalSet::new();
    drop_pending!(local.run_until(async {
        yield_now().await;
        steps.set(1);
    }));
    local.run_until(yield_now()).await;
    assert_eq!(steps.get(), 0);
    agrees("run_until", "as_inner", "whatever the inner future loses");
}
