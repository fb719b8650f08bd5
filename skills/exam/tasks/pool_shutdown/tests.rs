//! Stops while jobs wait, hang, or panic.

use super::solution::{Pool, Stopped};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused accepted_jobs_finish_on_all_workers,
    paused what_is_left_at_the_end_is_aborted_and_counted,
    paused a_panic_costs_no_worker,
    paused a_waiting_submit_is_refused_at_once,
    paused a_canceled_submit_runs_nothing,
    paused a_stop_can_be_canceled_and_called_again,
    paused a_dropped_pool_ends_its_tasks,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Counts the jobs that were finished, and those that exist.
#[derive(Clone, Default)]
struct Jobs {
    finished: Arc<AtomicUsize>,
    alive: Arc<()>,
}

impl Jobs {
    fn lasting(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let job = self.clone();
        async move {
            sleep(duration).await;
            job.finished.fetch_add(1, Ordering::SeqCst);
            drop(job);
        }
    }

    fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    fn alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }
}

async fn accepted_jobs_finish_on_all_workers() {
    let (pool, jobs, start) = (Pool::new(4, 20), Jobs::default(), Instant::now());
    for _ in 0..20 {
        let accepted = pool.submit(jobs.lasting(SECOND)).await;
        assert_eq!(accepted, Ok(()), "the pool isn't stopped");
    }
    let left = pool.stop(MINUTE).await;
    assert_eq!(left, 0, "there was time for all jobs");
    assert_eq!(jobs.finished(), 20, "these jobs were finished");
    let took = start.elapsed().as_secs();
    assert_eq!(took, 5, "20 jobs of a second on 4 workers");
    let refused = pool.submit(jobs.lasting(SECOND)).await;
    assert_eq!(refused, Err(Stopped), "a job after the stop");
    assert_eq!(pool.stop(MINUTE).await, 0, "a second stop");
}

async fn what_is_left_at_the_end_is_aborted_and_counted() {
    let (pool, jobs, start) = (Pool::new(1, 10), Jobs::default(), Instant::now());
    for _ in 0..5 {
        _ = pool.submit(jobs.lasting(2 * SECOND)).await;
    }
    let left = pool.stop(5 * SECOND).await;
    let (finished, alive) = (jobs.finished(), jobs.alive());
    assert_eq!(finished, 2, "jobs of 2 s that were finished in 5 s");
    assert_eq!(left, 3, "one was aborted, and two never ran");
    assert_eq!(alive, 0, "jobs that exist although the stop has returned");
    assert_eq!(start.elapsed().as_secs(), 5, "it waited longer");
}

async fn a_panic_costs_no_worker() {
    let (pool, jobs) = (Pool::new(2, 10), Jobs::default());
    for number in 0..10 {
        let panics = async move { panic!("job {number}") };
        let accepted = timeout(MINUTE, pool.submit(panics)).await;
        assert_eq!(accepted, Ok(Ok(())), "job {number} isn't accepted");
    }
    let both = Arc::new(Barrier::new(2));
    for _ in 0..2 {
        let (both, job) = (both.clone(), jobs.lasting(SECOND));
        let meets = async move {
            both.wait().await;
            job.await;
        };
        let accepted = timeout(MINUTE, pool.submit(meets)).await;
        assert_eq!(accepted, Ok(Ok(())), "no worker takes jobs");
    }
    let left = pool.stop(MINUTE).await;
    assert_eq!(jobs.finished(), 2, "two workers run two jobs at a time");
    assert_eq!(left, 0, "a job that panics is finished");
}

async fn a_waiting_submit_is_refused_at_once() {
    let (pool, jobs) = (Arc::new(Pool::new(1, 1)), Jobs::default());
    _ = pool.submit(jobs.lasting(20 * SECOND)).await;
    sleep(SECOND).await;
    _ = pool.submit(jobs.lasting(SECOND)).await;
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let (pool, job) = (pool.clone(), jobs.lasting(SECOND));
        waiting.spawn(async move { pool.submit(job).await });
    }
    sleep(SECOND).await;
    assert!(waiting.try_join_next().is_none(), "the queue is full");
    let stopped = tokio::spawn({
        let pool = pool.clone();
        async move { pool.stop(MINUTE).await }
    });
    sleep(SECOND).await;
    for _ in 0..3 {
        let refused = waiting.try_join_next();
        let refused = refused.expect("a second after the stop, it still waits for a place");
        let refused = refused.expect("`submit` doesn't panic");
        assert_eq!(refused, Err(Stopped), "it waited when the pool was stopped");
    }
    let left = stopped.await.expect("`stop` doesn't panic");
    assert_eq!(left, 0, "both accepted jobs had time enough");
    assert_eq!(jobs.finished(), 2, "accepted jobs that were finished");
}

async fn a_canceled_submit_runs_nothing() {
    let (pool, jobs) = (Pool::new(1, 1), Jobs::default());
    _ = pool.submit(jobs.lasting(20 * SECOND)).await;
    sleep(SECOND).await;
    _ = pool.submit(jobs.lasting(SECOND)).await;
    for _ in 0..10 {
        let canceled = timeout(SECOND, pool.submit(jobs.lasting(SECOND))).await;
        assert!(canceled.is_err(), "the queue is full");
    }
    let after = timeout(MINUTE, pool.submit(jobs.lasting(SECOND))).await;
    assert_eq!(after, Ok(Ok(())), "canceled calls keep the place");
    assert_eq!(pool.stop(MINUTE).await, 0, "there was time for all jobs");
    assert_eq!(jobs.finished(), 3, "canceled jobs must not run");
}

async fn a_stop_can_be_canceled_and_called_again() {
    let (pool, jobs) = (Pool::new(2, 10), Jobs::default());
    for _ in 0..4 {
        _ = pool.submit(jobs.lasting(10 * SECOND)).await;
    }
    _ = pool.submit(pending()).await;
    let canceled = timeout(5 * SECOND, pool.stop(MINUTE)).await;
    assert!(canceled.is_err(), "jobs are running");
    let refused = pool.submit(jobs.lasting(SECOND)).await;
    assert_eq!(refused, Err(Stopped), "a job after the canceled stop");
    let left = tokio::join!(pool.stop(MINUTE), pool.stop(MINUTE));
    assert_eq!(jobs.finished(), 4, "jobs that were finished");
    assert_eq!(left, (1, 1), "one job hangs, as both calls must say");
}

async fn a_dropped_pool_ends_its_tasks() {
    let (pool, jobs) = (Pool::new(2, 10), Jobs::default());
    for _ in 0..4 {
        _ = pool.submit(jobs.lasting(1000 * SECOND)).await;
    }
    sleep(SECOND).await;
    drop(pool);
    sleep(SECOND).await;
    assert_eq!(jobs.alive(), 0, "jobs that go on without the pool");
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "tasks that are left of the pool");
}
