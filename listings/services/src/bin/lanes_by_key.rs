//! Run the jobs of one order in sequence, and those of different orders concurrently.

// ANCHOR: lanes
use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
};

use tokio::sync::mpsc;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

/// A fixed number of lanes. A lane runs its jobs one after another.
/// If dropped, it aborts the jobs that are left.
struct Lanes {
    queues: Vec<mpsc::Sender<Queued>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
    keys: RandomState,
    left: TaskTracker,
    stop: CancellationToken,
}

impl Lanes {
    /// All jobs of an order use the same lane.
    fn lane(&self, order: u32) -> usize {
        let hash = self.keys.hash_one(order);
        (hash % self.queues.len() as u64) as usize
    }

    /// Waits for room in the order's lane. Returns the job if the lanes
    /// have stopped. If dropped, the job isn't submitted.
    async fn submit(&self, job: Job) -> Result<(), Job> {
        let left = self.left.token();
        if self.stop.is_cancelled() {
            return Err(job);
        }
        let queue = &self.queues[self.lane(job.order)];
        queue.send((left, job)).await.map_err(|error| error.0.1)
    }
    // ANCHOR_END: lanes

    // ANCHOR: drain
    /// Refuses new jobs, and finishes the submitted ones within `grace`.
    /// Returns how many are left, which are aborted with the lanes.
    async fn drain(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.left.close();
        match timeout(grace, self.left.wait()).await {
            Ok(()) => 0,
            Err(_elapsed) => self.left.len(),
        }
    }
    // ANCHOR_END: drain

    /// Every lane has room for `room` jobs that wait, and calls `report`
    /// for each job that fails.
    fn new(
        lanes: NonZeroUsize,
        room: NonZeroUsize,
        report: impl Fn(u32, String) + Clone + Send + 'static,
    ) -> Self {
        let (queues, _tasks) = (0..lanes.get())
            .map(|_| {
                let (queue, jobs) = mpsc::channel(room.get());
                let task = tokio::spawn(run(jobs, report.clone()));
                (queue, AbortOnDropHandle::new(task))
            })
            .unzip();
        Self {
            queues,
            _tasks,
            keys: RandomState::new(),
            left: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }
}

// ANCHOR: run
use std::{any::Any, io, panic::AssertUnwindSafe};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{Duration, timeout};
use tokio_util::task::task_tracker::TaskTrackerToken;

struct Job {
    order: u32,
    work: BoxFuture<'static, io::Result<()>>,
}

type Queued = (TaskTrackerToken, Job);

/// Runs a lane. A job that fails, panics, or hangs is reported, and the
/// next job runs. `report` must not panic, because that ends the lane.
async fn run(
    mut jobs: mpsc::Receiver<Queued>,
    report: impl Fn(u32, String),
) {
    while let Some((_left, Job { order, work })) = jobs.recv().await {
        let work = async { timeout(LONGEST, work).await };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => report(order, error.to_string()),
            Ok(Err(elapsed)) => report(order, elapsed.to_string()),
            Err(panic) => report(order, message(&*panic)),
        }
    }
}

/// The time limit of a job, because a slow job holds up its lane.
const LONGEST: Duration = Duration::from_secs(10);
// ANCHOR_END: run

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::sleep;

/// What was done, in this order.
type Log = Arc<Mutex<Vec<(u32, &'static str)>>>;

/// A job that takes a while, and writes down what it did.
fn job(order: u32, step: &'static str, takes: u64, log: &Log) -> Job {
    let log = Arc::clone(log);
    let work = async move {
        sleep(Duration::from_millis(takes)).await;
        if (order, step) == (2, "paid") {
            std::panic::resume_unwind(Box::new("no such card"));
        }
        let mut log =
            log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push((order, step));
        Ok(())
    };
    Job { order, work: Box::pin(work) }
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), &'static str> {
    let (eight, log) =
        (NonZeroUsize::MIN.saturating_add(7), Log::default());
    let report = |order, why| println!("order {order}: {why}");
    let lanes = Lanes::new(eight, eight, report);
    // The first step of every order takes the longest.
    for (step, takes) in [("placed", 30), ("paid", 20), ("shipped", 10)]
    {
        for order in 1..=3 {
            let submitted = lanes.submit(job(order, step, takes, &log));
            submitted.await.map_err(|_job| "the lanes have stopped")?;
        }
    }
    println!("left: {}", lanes.drain(Duration::from_secs(1)).await);
    for (order, step) in sorted(&log) {
        println!("order {order}: {step}");
    }
    Ok(())
}
// ANCHOR_END: main

/// By order. The steps of an order stay as they were.
fn sorted(log: &Log) -> Vec<(u32, &'static str)> {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let mut log = log.clone();
    log.sort_by_key(|(order, _)| *order);
    log
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::Instant;

    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    type Reports = Arc<Mutex<Vec<(u32, String)>>>;

    fn lanes(lanes: usize, room: usize) -> (Lanes, Reports) {
        let reports = Reports::default();
        let all = reports.clone();
        let report = move |order, why| {
            all.lock().expect("no panic").push((order, why));
        };
        let number = |n| NonZeroUsize::new(n).expect("not zero");
        (Lanes::new(number(lanes), number(room), report), reports)
    }

    async fn submitted(lanes: &Lanes, job: Job) {
        assert!(lanes.submit(job).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_one_lane_and_room_for_one_job_keep_the_order() {
        for count in [1, 2, 7] {
            let (lanes, _) = lanes(count, 1);
            let log = Log::default();
            for takes in [30, 20, 10, 0] {
                for order in 10..20 {
                    let step =
                        ["d", "c", "b", "a"][takes as usize / 10];
                    let job = job(order, step, takes, &log);
                    submitted(&lanes, job).await;
                }
            }
            assert_eq!(lanes.drain(GRACE).await, 0);
            let expected: Vec<_> = (10..20)
                .flat_map(|n| {
                    ["a", "b", "c", "d"].map(|step| (n, step))
                })
                .collect();
            assert_eq!(sorted(&log), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_and_the_lane_continues() {
        for case in hazards::some_panic(5) {
            let (lanes, reports) = lanes(1, 5);
            let done = Arc::new(AtomicUsize::new(0));
            for index in 0..5 {
                let (panics, done) =
                    (case.contains(&index), done.clone());
                let work = async move {
                    if panics {
                        std::panic::resume_unwind(Box::new("no card"));
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                };
                let order = index as u32;
                let job = Job { order, work: Box::pin(work) };
                submitted(&lanes, job).await;
            }
            assert_eq!(lanes.drain(GRACE).await, 0);
            assert_eq!(done.load(Ordering::Relaxed), 5 - case.len());
            let expected: Vec<_> = case
                .iter()
                .map(|&n| (n as u32, "panicked: no card".to_owned()))
                .collect();
            assert_eq!(*reports.lock().expect("no panic"), expected);
        }
    }

    /// Returns how long a job of `order` waits for one of order 1.
    async fn waits(
        lanes: &Lanes,
        order: u32,
        slow: Duration,
    ) -> Duration {
        let work = sleep(slow).map(Ok).boxed();
        submitted(lanes, Job { order: 1, work }).await;
        let start = Instant::now();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async move {
            done.send(()).map_err(|()| io::ErrorKind::BrokenPipe.into())
        };
        submitted(lanes, Job { order, work: Box::pin(work) }).await;
        is_done.await.expect("it runs");
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_key_holds_up_only_its_lane() {
        let (lanes, _) = lanes(4, 4);
        let slow = Duration::from_secs(3);
        let mut orders = 2..;
        let same = orders.find(|&n| lanes.lane(n) == lanes.lane(1));
        let other = orders.find(|&n| lanes.lane(n) != lanes.lane(1));
        let same = waits(&lanes, same.expect("one"), slow).await;
        assert!(same >= slow, "{same:?}");
        let other = waits(&lanes, other.expect("one"), slow).await;
        assert!(other < Duration::from_millis(5), "{other:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_job_ends_at_the_limit() {
        let (lanes, reports) = lanes(1, 2);
        let work = futures::future::pending().boxed();
        submitted(&lanes, Job { order: 7, work }).await;
        let log = Log::default();
        submitted(&lanes, job(7, "paid", 1, &log)).await;
        assert_eq!(lanes.drain(GRACE).await, 0);
        assert_eq!(sorted(&log), [(7, "paid")]);
        let reports = reports.lock().expect("no panic");
        assert_eq!(*reports, [(7, "deadline has elapsed".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_reported_with_its_order() {
        let (lanes, reports) = lanes(3, 2);
        let work = async { Err(io::Error::other("no stock")) }.boxed();
        submitted(&lanes, Job { order: 9, work }).await;
        assert_eq!(lanes.drain(GRACE).await, 0);
        let reports = reports.lock().expect("no panic");
        assert_eq!(*reports, [(9, "no stock".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_a_lane_waits_for_room() {
        let (lanes, _) = lanes(1, 2);
        let log = Log::default();
        for _ in 0..3 {
            submitted(&lanes, job(1, "placed", 1000, &log)).await;
            tokio::task::yield_now().await;
        }
        let fourth = lanes.submit(job(1, "placed", 1000, &log));
        assert!(
            timeout(Duration::from_millis(900), fourth).await.is_err()
        );
        assert_eq!(lanes.drain(GRACE).await, 0);
        // The fourth was dropped, and isn't counted.
        assert_eq!(sorted(&log).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_submit_submits_all_or_nothing() {
        hazards::at_every_poll(async |cancel| {
            let (lanes, _) = lanes(1, 1);
            let log = Log::default();
            submitted(&lanes, job(1, "placed", 5, &log)).await;
            let second = lanes.submit(job(1, "paid", 5, &log));
            let accepted = cancel.run(second).await.is_some();
            assert_eq!(lanes.drain(GRACE).await, 0);
            assert_eq!(sorted(&log).len(), 1 + usize::from(accepted));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_jobs_and_says_how_many_are_left() {
        let (lanes, _) = lanes(2, 4);
        let log = Log::default();
        for _ in 0..3 {
            submitted(&lanes, job(1, "placed", 4000, &log)).await;
        }
        let start = Instant::now();
        let left = lanes.drain(Duration::from_secs(6)).await;
        assert_eq!((left, sorted(&log).len()), (2, 1));
        assert!(start.elapsed() < Duration::from_secs(7));
        assert!(lanes.submit(job(1, "paid", 1, &log)).await.is_err());
        drop(lanes);
        hazards::no_task_left().await;
        assert_eq!(sorted(&log).len(), 1);
    }

    /// A caller that waits for room isn't forgotten.
    #[tokio::test(start_paused = true)]
    async fn stop_counts_a_caller_that_waits_for_room() {
        let (lanes, _) = lanes(1, 1);
        let log = Log::default();
        submitted(&lanes, job(1, "placed", 1000, &log)).await;
        tokio::task::yield_now().await;
        submitted(&lanes, job(1, "paid", 1000, &log)).await;
        let third = lanes.submit(job(1, "shipped", 1000, &log));
        let mut third = std::pin::pin!(third);
        assert!(futures::poll!(third.as_mut()).is_pending());
        // It's counted, even while its caller is busy elsewhere.
        assert_eq!(lanes.drain(GRACE).await, 1);
        assert!(third.await.is_ok());
        assert_eq!(lanes.drain(GRACE).await, 0);
        assert_eq!(sorted(&log).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_lanes() {
        let (lanes, _) = lanes(4, 4);
        submitted(&lanes, job(1, "placed", 4000, &Log::default()))
            .await;
        drop(lanes);
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_keep_the_order_of_every_key() {
        for _ in 0..20 {
            let (lanes, _) = lanes(3, 2);
            let (lanes, log) = (Arc::new(lanes), Log::default());
            let mut clients = tokio::task::JoinSet::new();
            for order in 10..30 {
                let (lanes, log) = (lanes.clone(), log.clone());
                clients.spawn(async move {
                    for step in ["a", "b", "c"] {
                        submitted(&lanes, job(order, step, 0, &log))
                            .await;
                    }
                });
            }
            clients.join_all().await;
            assert_eq!(lanes.drain(GRACE).await, 0);
            let expected: Vec<_> = (10..30)
                .flat_map(|n| ["a", "b", "c"].map(|step| (n, step)))
                .collect();
            assert_eq!(sorted(&log), expected);
        }
    }
}
