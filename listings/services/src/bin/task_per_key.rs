//! One task per order: it ends when the order's queue is empty.

// ANCHOR: keyed
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Semaphore, task::JoinSet};

/// If dropped, it aborts its tasks.
struct PerOrder {
    places: Arc<Semaphore>,
    queues: Arc<Mutex<Queues>>,
    tasks: Mutex<JoinSet<()>>,
    left: TaskTracker,
}

impl PerOrder {
    /// Waits for one of the `PLACES` that all orders share. Returns the
    /// job if there's no room in its order's queue, or after a stop. If
    /// dropped, the job isn't submitted.
    async fn submit(&self, job: Job) -> Result<(), Job> {
        let (order, left) = (job.order, self.left.token());
        let place = Arc::clone(&self.places).acquire_owned().await;
        let Ok(place) = place else { return Err(job) };
        match lock(&self.queues).entry(order) {
            Entry::Occupied(queue) if queue.get().len() == ROOM => {
                return Err(job);
            }
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back((place, left, job));
            }
            Entry::Vacant(entry) => {
                entry.insert(VecDeque::from([(place, left, job)]));
                let mut tasks = lock(&self.tasks);
                while tasks.try_join_next().is_some() {}
                tasks.spawn(run(order, Arc::clone(&self.queues)));
            }
        }
        Ok(())
    }
    // ANCHOR_END: keyed

    /// Refuses new jobs, and finishes the submitted ones within `grace`.
    /// Returns how many are left.
    async fn drain(&self, grace: Duration) -> usize {
        self.places.close();
        self.left.close();
        match timeout(grace, self.left.wait()).await {
            Ok(()) => 0,
            Err(_elapsed) => self.left.len(),
        }
    }

    fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            queues: Arc::default(),
            tasks: Mutex::default(),
            left: TaskTracker::new(),
        }
    }
}

// ANCHOR: run
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Duration, timeout},
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// Runs the jobs of one order until there are none. It must not panic:
/// the order's queue would stay, without a task.
async fn run(order: u32, queues: Arc<Mutex<Queues>>) {
    while let Some((_place, _left, job)) = next(order, &queues) {
        let work = async { timeout(LONGEST, job.work).await };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(order, %error),
            Ok(Err(_elapsed)) => tracing::error!(order, "too slow"),
            Err(_panic) => tracing::error!(order, "panicked"),
        }
    }
}

/// The next job. If there is none, the queue is removed under the same
/// lock, and the next `submit` spawns a task again.
fn next(order: u32, queues: &Mutex<Queues>) -> Option<Queued> {
    let mut queues = lock(queues);
    let job = queues.get_mut(&order)?.pop_front();
    if job.is_none() {
        queues.remove(&order);
    }
    job
}

type Queued = (OwnedSemaphorePermit, TaskTrackerToken, Job);
type Queues = HashMap<u32, VecDeque<Queued>>;
// ANCHOR_END: run

use std::{io, panic::AssertUnwindSafe};

struct Job {
    order: u32,
    work: BoxFuture<'static, io::Result<()>>,
}

/// Places for jobs that wait or run, and how many may wait in one order.
const PLACES: usize = 1000;
const ROOM: usize = 10;
/// The time limit of a job.
const LONGEST: Duration = Duration::from_secs(10);

/// Nothing panics under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Log = Arc<Mutex<Vec<(u32, &'static str)>>>;

fn job(order: u32, step: &'static str, takes: u64, log: &Log) -> Job {
    let log = Arc::clone(log);
    let work = async move {
        tokio::time::sleep(Duration::from_millis(takes)).await;
        lock(&log).push((order, step));
        Ok(())
    };
    Job { order, work: Box::pin(work) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), &'static str> {
    let (orders, log) = (PerOrder::new(), Log::default());
    for (step, takes) in [("placed", 30), ("paid", 20), ("shipped", 10)]
    {
        for order in [1, 2] {
            let submitted =
                orders.submit(job(order, step, takes, &log));
            submitted.await.map_err(|_job| "the queue is full")?;
        }
    }
    println!("busy orders: {}", lock(&orders.queues).len());
    println!("left: {}", orders.drain(Duration::from_secs(1)).await);
    println!("busy orders: {}", lock(&orders.queues).len());
    println!("{:?}", lock(&log));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    async fn submitted(orders: &PerOrder, job: Job) {
        assert!(orders.submit(job).await.is_ok());
    }

    /// By order. The steps of an order stay as they were.
    fn sorted(log: &Log) -> Vec<(u32, &'static str)> {
        let mut log = lock(log).clone();
        log.sort_by_key(|(order, _)| *order);
        log
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_task_and_the_next_event_is_handled() {
        let (orders, log) = (PerOrder::new(), Log::default());
        for step in ["placed", "paid"] {
            submitted(&orders, job(7, step, 10, &log)).await;
            hazards::no_task_left_after(hazards::HOUR).await;
            assert!(lock(&orders.queues).is_empty());
        }
        assert_eq!(*lock(&log), [(7, "placed"), (7, "paid")]);
        assert_eq!(orders.places.available_permits(), PLACES);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_lose_no_job_when_tasks_end() {
        let (orders, log) = (Arc::new(PerOrder::new()), Log::default());
        let mut clients = JoinSet::new();
        for order in 0..8 {
            let (orders, log) = (orders.clone(), log.clone());
            clients.spawn(async move {
                for _ in 0..500 {
                    for step in ["a", "b"] {
                        let log = log.clone();
                        let work = async move {
                            lock(&log).push((order, step));
                            Ok(())
                        };
                        let mut job = Job { order, work: work.boxed() };
                        while let Err(full) = orders.submit(job).await {
                            job = full;
                            tokio::task::yield_now().await;
                        }
                    }
                }
            });
        }
        clients.join_all().await;
        assert_eq!(orders.drain(GRACE).await, 0);
        let expected: Vec<_> = (0..8)
            .flat_map(|order| [(order, "a"), (order, "b")].repeat(500))
            .collect();
        assert!(sorted(&log) == expected);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_and_failure_of_any_job_let_the_next_one_run() {
        for case in hazards::some_panic(4) {
            let (orders, log) = (PerOrder::new(), Log::default());
            for index in 0..4 {
                let mut job = job(1, "done", 1, &log);
                if case.contains(&index) {
                    job.work = async {
                        std::panic::resume_unwind(Box::new("no"))
                    }
                    .boxed();
                }
                submitted(&orders, job).await;
                let work =
                    async { Err(io::Error::other("no")) }.boxed();
                submitted(&orders, Job { order: 1, work }).await;
            }
            assert_eq!(orders.drain(GRACE).await, 0);
            assert_eq!(lock(&log).len(), 4 - case.len());
            assert_eq!(orders.places.available_permits(), PLACES);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_not_the_end_of_its_order() {
        let (orders, log) = (PerOrder::new(), Log::default());
        let work = async { Err(io::Error::other("no")) }.boxed();
        submitted(&orders, Job { order: 1, work }).await;
        submitted(&orders, job(1, "paid", 1, &log)).await;
        assert_eq!(orders.drain(GRACE).await, 0);
        assert_eq!(*lock(&log), [(1, "paid")]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_order_holds_up_no_other() {
        let (orders, log) = (PerOrder::new(), Log::default());
        submitted(&orders, job(1, "slow", 9000, &log)).await;
        submitted(&orders, job(2, "quick", 1, &log)).await;
        submitted(
            &orders,
            Job { order: 3, work: std::future::pending().boxed() },
        )
        .await;
        submitted(&orders, job(3, "next", 1, &log)).await;
        assert_eq!(orders.drain(GRACE).await, 0);
        assert_eq!(
            *lock(&log),
            [(2, "quick"), (1, "slow"), (3, "next")]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_for_a_place_or_is_refused() {
        let (orders, log) = (PerOrder::new(), Log::default());
        // One job runs, and ten wait.
        submitted(&orders, job(0, "placed", 1000, &log)).await;
        tokio::task::yield_now().await;
        for _ in 0..ROOM {
            submitted(&orders, job(0, "placed", 1000, &log)).await;
        }
        assert!(orders.submit(job(0, "full", 1, &log)).await.is_err());
        for order in 1..(PLACES - ROOM) as u32 {
            submitted(&orders, job(order, "placed", 1000, &log)).await;
        }
        let next = orders.submit(job(5000, "placed", 1, &log));
        let next = timeout(Duration::from_millis(900), next).await;
        assert!(next.is_err());
        assert_eq!(orders.drain(GRACE).await, 0);
        assert_eq!(lock(&log).len(), PLACES);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_submit_submits_nothing() {
        hazards::at_every_poll(async |cancel| {
            let (orders, log) = (PerOrder::new(), Log::default());
            let all = Arc::clone(&orders.places);
            let all = all.acquire_many_owned(PLACES as u32).await;
            let returned = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(all);
            });
            let submit = orders.submit(job(1, "placed", 1, &log));
            let accepted = cancel.run(submit).await.is_some();
            returned.await.expect("no panic");
            assert_eq!(orders.drain(GRACE).await, 0);
            assert_eq!(lock(&log).len(), usize::from(accepted));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_jobs_and_says_how_many_are_left() {
        let (orders, log) = (PerOrder::new(), Log::default());
        for _ in 0..3 {
            submitted(&orders, job(1, "placed", 4000, &log)).await;
        }
        assert_eq!(orders.drain(Duration::from_secs(6)).await, 2);
        assert!(orders.submit(job(1, "paid", 1, &log)).await.is_err());
        drop(orders);
        hazards::no_task_left().await;
        assert_eq!(lock(&log).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_tasks() {
        let (orders, log) = (PerOrder::new(), Log::default());
        for order in 0..5 {
            submitted(&orders, job(order, "placed", 4000, &log)).await;
        }
        drop(orders);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_same_step_twice_runs_twice() {
        let (orders, log) = (PerOrder::new(), Log::default());
        for order in [u32::MAX, 0, u32::MAX, 0] {
            submitted(&orders, job(order, "placed", 0, &log)).await;
        }
        assert_eq!(orders.drain(GRACE).await, 0);
        assert_eq!(lock(&log).len(), 4);
    }
}
