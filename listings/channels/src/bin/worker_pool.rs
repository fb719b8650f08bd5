//! Four workers, one queue, and an outcome for every job.

// ANCHOR: pool
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(30);

type Queue<Job> = Arc<Mutex<mpsc::Receiver<(u32, Job)>>>;
type Done<T> = mpsc::Sender<(u32, Outcome<T>)>;

/// Takes the next job. This is a separate function so that the lock
/// is released before the job runs.
async fn next<Job>(queue: &Queue<Job>) -> Option<(u32, Job)> {
    queue.lock().await.recv().await
}

/// Works until the queue is closed and empty, or the receiver of the
/// outcomes is dropped.
async fn work<Job: Future>(queue: Queue<Job>, done: Done<Job::Output>) {
    loop {
        let next = tokio::select! {
            biased;
            () = done.closed() => None,
            next = next(&queue) => next,
        };
        let Some((number, job)) = next else { return };
        let job = async { timeout(LIMIT, job).await };
        let outcome = match AssertUnwindSafe(job).catch_unwind().await {
            Ok(Ok(output)) => Outcome::Done(output),
            Ok(Err(_)) => Outcome::TooLong,
            Err(panic) => Outcome::Panicked(message(&*panic)),
        };
        // Fails if the receiver was dropped: see the check above.
        _ = done.send((number, outcome)).await;
    }
}
// ANCHOR_END: pool

// ANCHOR: run_all
#[derive(Debug, PartialEq)]
enum Outcome<T> {
    Done(T),
    Panicked(String),
    /// It was dropped after [`LIMIT`].
    TooLong,
}

/// Runs jobs until the queue is closed and empty, or `done` is closed.
/// Until then, every job that was taken has one outcome in `done`, by
/// its number. Read `done` while you send jobs: if it's full, the
/// workers wait.
///
/// If this is dropped, the jobs in progress are aborted, and the jobs
/// in the queue are dropped.
async fn run_all<Job>(
    queue: mpsc::Receiver<(u32, Job)>,
    workers: NonZeroUsize,
    done: Done<Job::Output>,
) where
    Job: Future<Output: Send> + Send + 'static,
{
    let queue = Arc::new(Mutex::new(queue));
    let mut pool = JoinSet::new();
    for _ in 0..workers.get() {
        pool.spawn(work(Arc::clone(&queue), done.clone()));
    }
    // The workers hold the last senders: `done` closes with them.
    drop(done);
    pool.join_all().await;
}

/// The job's panic message.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}
// ANCHOR_END: run_all

use std::{any::Any, num::NonZeroUsize};

use tokio::time::{Instant, sleep};

/// Resizes a photo, which takes a second.
async fn resize(photo: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    if photo == 5 {
        panic!("photo {photo} is broken");
    }
    100 * photo
}

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Eight photos on four workers.
async fn run() -> Vec<(u32, Outcome<u32>)> {
    let (jobs, queue) = mpsc::channel(2);
    let (done, mut outcomes) = mpsc::channel(2);
    let send = async {
        for photo in 1..=8 {
            if jobs.send((photo, resize(photo))).await.is_err() {
                break; // There are no more workers.
            }
        }
        drop(jobs);
    };
    let read = async {
        let mut read = Vec::new();
        while let Some(outcome) = outcomes.recv().await {
            read.push(outcome);
        }
        read
    };
    let ((), (), mut read) =
        tokio::join!(run_all(queue, FOUR, done), send, read);
    read.sort_by_key(|(photo, _)| *photo);
    read
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    std::panic::set_hook(Box::new(|_| ())); // The outcome has it.
    let start = Instant::now();
    for (photo, outcome) in run().await {
        println!("{photo}: {outcome:?}");
    }
    println!("after {} s", start.elapsed().as_secs());
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, pending, poll_fn, ready},
        pin::{Pin, pin},
        task::Poll,
    };

    use fastrand::Rng;
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::task::yield_now;

    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = u32> + Send>>;

    /// A pool with these jobs in it, and its outcomes in order.
    async fn outcomes_of(jobs: Vec<Boxed>) -> Vec<(u32, Outcome<u32>)> {
        let (queue, receiver) = mpsc::channel(jobs.len().max(1));
        for numbered in (0..).zip(jobs) {
            queue.try_send(numbered).expect("there is room");
        }
        drop(queue);
        let (done, mut outcomes) = mpsc::channel(1);
        let read = async {
            let mut read = Vec::new();
            while let Some(outcome) = outcomes.recv().await {
                read.push(outcome);
            }
            read
        };
        let ((), mut read) =
            tokio::join!(run_all(receiver, FOUR, done), read);
        read.sort_by_key(|(number, _)| *number);
        read
    }

    #[tokio::test(start_paused = true)]
    async fn overload_eight_jobs_on_four_workers() {
        let start = Instant::now();
        let outcomes = run().await;
        let numbers = outcomes.iter().map(|(photo, _)| *photo);
        assert!(numbers.eq(1..=8));
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_jobs_leaves_the_others() {
        for panics in some_panic(40) {
            let jobs = (0..40).map(|job| -> Boxed {
                let panics = panics.contains(&job);
                Box::pin(async move {
                    yield_now().await;
                    assert!(!panics, "job {job} is broken");
                    7
                })
            });
            let outcomes = outcomes_of(jobs.collect()).await;
            assert_eq!(outcomes.len(), 40);
            for (job, (number, outcome)) in outcomes.iter().enumerate()
            {
                assert_eq!(*number, job as u32);
                let expected = match panics.contains(&job) {
                    true => Outcome::Panicked(format!(
                        "job {job} is broken"
                    )),
                    false => Outcome::Done(7),
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
        let outcomes = within(HOUR, outcomes_of(jobs.collect())).await;
        let panicked = || Outcome::Panicked("in `drop`".to_owned());
        for (job, outcome) in &outcomes[..10] {
            assert_eq!(*outcome, panicked(), "job {job}");
        }
        assert_eq!(
            outcomes[10..],
            [10, 11].map(|job| (job, Outcome::Done(job)))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_ten_jobs_ends_at_the_limit() {
        let jobs = (0..12).map(|job| -> Boxed {
            match job < 10 {
                true => Box::pin(pending()),
                false => Box::pin(ready(job)),
            }
        });
        let outcomes = within(HOUR, outcomes_of(jobs.collect())).await;
        let silent = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == Outcome::TooLong);
        assert_eq!(silent.count(), 10);
        assert_eq!(outcomes[11], (11, Outcome::Done(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_of_outcomes_hold_the_workers_up() {
        let (jobs, queue) = mpsc::channel(100);
        for number in 0..100 {
            jobs.try_send((number, ready(number))).expect("room");
        }
        let (done, mut outcomes) = mpsc::channel(2);
        let _pool = tokio::spawn(run_all(queue, FOUR, done));
        sleep(Duration::from_secs(60)).await;
        // Two wait in the channel, and one in each worker's hands.
        assert_eq!(jobs.capacity(), 6);
        drop(jobs);
        let mut read = 0;
        while outcomes.recv().await.is_some() {
            sleep(Duration::from_secs(1)).await;
            read += 1;
        }
        assert_eq!(read, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_workers_and_the_senders() {
        let (jobs, queue) = mpsc::channel(8);
        let (done, outcomes) = mpsc::channel(8);
        let pool = tokio::spawn(run_all(queue, FOUR, done));
        drop(outcomes); // Nobody wants the outcomes.
        for number in 0..4 {
            jobs.send((number, ready(number)))
                .await
                .expect("it's open");
        }
        within(HOUR, jobs.closed()).await;
        within(HOUR, pool).await.expect("no panic");
        no_task_left().await;
    }

    /// The workers are idle, and nobody sends a job anymore.
    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_idle_workers() {
        let (jobs, queue) = mpsc::channel::<(u32, Ready<u32>)>(8);
        let (done, outcomes) = mpsc::channel(8);
        let pool = tokio::spawn(run_all(queue, FOUR, done));
        sleep(Duration::from_secs(1)).await;
        drop(outcomes);
        within(HOUR, pool).await.expect("no panic");
        assert!(jobs.is_closed());
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_is_the_last_sender_and_loses_nothing() {
        let jobs = (0..7).map(|job| -> Boxed {
            Box::pin(async move {
                sleep(Duration::from_secs(1)).await;
                job
            })
        });
        // `outcomes_of` drops the sender before the first job runs.
        assert_eq!(outcomes_of(jobs.collect()).await.len(), 7);
        assert!(outcomes_of(Vec::new()).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_job_and_one_job() {
        assert_eq!(outcomes_of(vec![]).await, []);
        let one: Boxed = Box::pin(ready(7));
        let outcomes = outcomes_of(vec![one]).await;
        assert_eq!(outcomes, [(0, Outcome::Done(7))]);
    }

    /// Drops the future after so many polls, wherever it is then:
    /// while it waits for room, or when it was just given some.
    async fn dropped_after(
        polls: u32,
        future: impl Future<Output = ()>,
    ) {
        let mut future = pin!(future);
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            future.as_mut().poll(context)
        })
        .await;
    }

    /// Sends jobs until 125,000 were accepted, by one producer after
    /// the other: each is canceled after a random while. Each job has
    /// its own number, counted up from `number`. Returns those that
    /// were accepted.
    async fn produce(
        jobs: mpsc::Sender<(u32, Ready<u32>)>,
        mut number: u32,
        mut random: Rng,
    ) -> Vec<u32> {
        let mut accepted = Vec::new();
        while accepted.len() < 125_000 {
            let producer = async {
                loop {
                    number += 1;
                    let sent = jobs.send((number, ready(number))).await;
                    sent.expect("there are workers");
                    accepted.push(number);
                }
            };
            dropped_after(random.u32(1..50), producer).await;
        }
        accepted
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_a_million_jobs_are_done_once_or_not_accepted() {
        let (jobs, queue) = mpsc::channel(16);
        let (done, mut outcomes) = mpsc::channel(16);
        let pool = tokio::spawn(run_all(queue, FOUR, done));
        let read = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some((number, outcome)) = outcomes.recv().await {
                assert_eq!(outcome, Outcome::Done(number));
                read.push(number);
            }
            read
        });
        let mut producers = JoinSet::new();
        for producer in 0..8 {
            let random = Rng::with_seed(u64::from(producer));
            let first = producer * 10_000_000;
            producers.spawn(produce(jobs.clone(), first, random));
        }
        drop(jobs);
        let accepted = producers.join_all().await;
        let given_up = accepted.iter().any(|numbers| {
            // A number is missing: that job was dropped, unsent.
            numbers.windows(2).any(|pair| pair[1] - pair[0] > 1)
        });
        assert!(given_up, "no producer was canceled while it sent");
        let mut accepted = accepted.concat();
        pool.await.expect("no worker panics");
        let mut done = read.await.expect("no panic");
        accepted.sort();
        done.sort();
        assert!(done.len() >= 1_000_000, "{}", done.len());
        assert!(done == accepted, "one is lost, or was done twice");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_jobs_and_drops_the_queue() {
        at_every_poll(async |cancel| {
            let (jobs, queue) = mpsc::channel(8);
            let (done, _outcomes) = mpsc::channel(8);
            let counted = Arc::new(());
            for number in 0..6 {
                let counted = Arc::clone(&counted);
                let job = async move {
                    sleep(Duration::from_secs(1)).await;
                    drop(counted);
                };
                jobs.send((number, job)).await.expect("there is room");
            }
            let closed = jobs.downgrade();
            drop(jobs);
            cancel.run(run_all(queue, FOUR, done)).await;
            no_task_left().await;
            assert!(closed.upgrade().is_none_or(|it| it.is_closed()));
            assert_eq!(Arc::strong_count(&counted), 1);
        })
        .await;
    }
}
