//! Each worker has its own receiver: one queue, and no lock.

// ANCHOR: work
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Works until the queue is closed and empty, or the receiver of the
/// outcomes is dropped. Every worker has a clone of both ends.
async fn work<Job: Future>(
    queue: async_channel::Receiver<(u32, Job)>,
    done: mpsc::Sender<(u32, Outcome<Job::Output>)>,
) {
    // `recv` takes `&self`, and the job that it returns holds no lock.
    loop {
        let next = tokio::select! {
            biased;
            () = done.closed() => return,
            next = queue.recv() => next,
        };
        let Ok((number, job)) = next else { return };
        let job = async { timeout(LIMIT, job).await };
        let outcome = match AssertUnwindSafe(job).catch_unwind().await {
            Ok(Ok(output)) => Outcome::Done(output),
            Ok(Err(_)) => Outcome::TooLong,
            Err(_) => Outcome::Panicked,
        };
        // Fails if the receiver was dropped: see the check above.
        _ = done.send((number, outcome)).await;
    }
}
// ANCHOR_END: work

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

#[derive(Debug, PartialEq)]
enum Outcome<T> {
    Done(T),
    Panicked,
    TooLong,
}

/// Runs these jobs on four workers. Dropped, it aborts them.
async fn run<Job>(jobs: Vec<Job>) -> Vec<(u32, Outcome<Job::Output>)>
where
    Job: Future<Output: Send> + Send + 'static,
{
    let (send, queue) = async_channel::bounded(2);
    let (done, mut outcomes) = mpsc::channel(2);
    let mut pool = JoinSet::new();
    for _ in 0..4 {
        pool.spawn(work(queue.clone(), done.clone()));
    }
    drop((queue, done));
    let send = async move {
        for job in (0..).zip(jobs) {
            if send.send(job).await.is_err() {
                return; // There are no more workers.
            }
        }
    };
    let read = async {
        let mut read = Vec::new();
        while let Some(outcome) = outcomes.recv().await {
            read.push(outcome);
        }
        read
    };
    let ((), mut read) = tokio::join!(send, read);
    pool.join_all().await;
    read.sort_by_key(|(number, _)| *number);
    read
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let job = |number| async move {
        sleep(Duration::from_secs(1)).await;
        number
    };
    let outcomes = run((0..8).map(job).collect()).await;
    let seconds = start.elapsed().as_secs();
    println!("{} jobs, four workers: {seconds} s", outcomes.len());
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::Pin,
        sync::Arc,
    };

    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::task::yield_now;

    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = u32> + Send>>;

    #[tokio::test(start_paused = true)]
    async fn overload_eight_jobs_on_four_workers() {
        let start = Instant::now();
        let job = |_| async { sleep(Duration::from_secs(1)).await };
        let outcomes = run((0..8).map(job).collect()).await;
        assert_eq!(outcomes.len(), 8);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_jobs_leaves_the_others() {
        for panics in some_panic(40) {
            let jobs = (0..40).map(|job| {
                let panics = panics.contains(&job);
                async move {
                    yield_now().await;
                    assert!(!panics, "job {job} is broken");
                }
            });
            let outcomes = run(jobs.collect()).await;
            assert_eq!(outcomes.len(), 40);
            for (job, (_, outcome)) in outcomes.iter().enumerate() {
                let expected = match panics.contains(&job) {
                    true => Outcome::Panicked,
                    false => Outcome::Done(()),
                };
                assert_eq!(*outcome, expected);
            }
        }
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in `drop`");
        }
    }

    /// More of them than workers, some done and some too slow.
    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_leaves_the_others() {
        let jobs = (0..12).map(|job| -> Boxed {
            Box::pin(async move {
                let _guard = (job < 10).then(|| PanicsInDrop);
                sleep(if job < 5 { HOUR } else { LIMIT / 2 }).await;
                job
            })
        });
        let outcomes = within(HOUR, run(jobs.collect())).await;
        let ends = outcomes.iter().map(|(_, outcome)| outcome);
        let panicked = ends.filter(|it| **it == Outcome::Panicked);
        assert_eq!(panicked.count(), 10);
        assert_eq!(outcomes[11], (11, Outcome::Done(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_ten_jobs_ends_at_the_limit() {
        let jobs = (0..12).map(|job| -> Boxed {
            match job < 10 {
                true => Box::pin(pending()),
                false => Box::pin(ready(job)),
            }
        });
        let outcomes = within(HOUR, run(jobs.collect())).await;
        let late =
            outcomes.iter().filter(|it| it.1 == Outcome::TooLong);
        assert_eq!(late.count(), 10);
        assert_eq!(outcomes[11], (11, Outcome::Done(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_of_outcomes_hold_the_workers_up() {
        let (send, queue) = async_channel::bounded(100);
        for number in 0..100 {
            send.try_send((number, ready(number))).expect("room");
        }
        let (done, _outcomes) = mpsc::channel(2);
        let mut pool = JoinSet::new();
        for _ in 0..4 {
            pool.spawn(work(queue.clone(), done.clone()));
        }
        sleep(HOUR).await;
        // Two wait in the channel, and one in each worker's hands.
        assert_eq!(queue.len(), 94);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_workers_and_the_senders() {
        let (send, queue) = async_channel::bounded(8);
        let (done, outcomes) = mpsc::channel(8);
        let worker = tokio::spawn(work(queue, done));
        // It's idle, and stays so.
        sleep(Duration::from_secs(1)).await;
        drop(outcomes);
        within(HOUR, worker).await.expect("no panic");
        assert!(send.send((1, ready(()))).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_job_and_one_job() {
        assert_eq!(run(Vec::<Boxed>::new()).await, []);
        let outcomes = run(vec![ready(7)]).await;
        assert_eq!(outcomes, [(0, Outcome::Done(7))]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_jobs_and_drops_the_queue() {
        at_every_poll(async |cancel| {
            let counted = Arc::new(());
            let jobs = (0..6).map(|_| {
                let counted = Arc::clone(&counted);
                async move {
                    sleep(Duration::from_secs(1)).await;
                    drop(counted);
                }
            });
            cancel.run(run(jobs.collect())).await;
            no_task_left().await;
            assert_eq!(Arc::strong_count(&counted), 1);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_do_every_job_once() {
        let outcomes = run((0..10_000).map(ready).collect()).await;
        let expected = (0..10_000).map(|it| (it, Outcome::Done(it)));
        assert!(outcomes.into_iter().eq(expected));
    }
}
