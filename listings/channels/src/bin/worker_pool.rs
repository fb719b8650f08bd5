//! Four workers, one queue, and every job is accounted for.

// ANCHOR: pool
use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

type Queue<Job> = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Takes the next job. The lock is released before the job is done:
/// it must not be a part of the loop's head.
async fn next<Job>(queue: &Queue<Job>) -> Option<Job> {
    queue.lock().await.recv().await
}

/// Works until the queue is empty and closed. Returns what was done.
async fn work<Job: Future>(queue: Queue<Job>) -> Vec<Job::Output> {
    let mut done = Vec::new();
    while let Some(job) = next(&queue).await {
        done.push(job.await);
    }
    done
}

/// Runs all jobs on so many workers. Panics if a job does.
async fn run_all<Job>(
    queue: mpsc::Receiver<Job>,
    workers: u32,
) -> Vec<Job::Output>
where
    Job: Future<Output: Send> + Send + 'static,
{
    let queue = Arc::new(Mutex::new(queue));
    let mut pool = JoinSet::new();
    for _ in 0..workers {
        pool.spawn(work(Arc::clone(&queue)));
    }
    pool.join_all().await.into_iter().flatten().collect()
}
// ANCHOR_END: pool

use tokio::time::{Duration, Instant, sleep};

/// Resizes a photo, which takes a second.
async fn resize(photo: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    photo
}

/// Eight photos on four workers.
async fn run() -> Vec<u32> {
    let (jobs, queue) = mpsc::channel(2);
    let send = async {
        for photo in 1..=8 {
            if jobs.send(resize(photo)).await.is_err() {
                break; // There are no workers any more.
            }
        }
        drop(jobs);
    };
    let (done, ()) = tokio::join!(run_all(queue, 4), send);
    done
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let mut done = run().await;
    done.sort();
    println!("{done:?} after {} s", start.elapsed().as_secs());
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, poll_fn, ready},
        pin::pin,
        task::Poll,
    };

    use fastrand::Rng;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn four_at_a_time_take_two_seconds() {
        let start = Instant::now();
        let mut done = run().await;
        done.sort();
        assert_eq!(done, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    /// Drops the future after so many polls, wherever it stands then:
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
    /// the other: each is cancelled after a random while. Each job has
    /// its own number, counted up from `number`. Returns those that
    /// were accepted.
    async fn produce(
        jobs: mpsc::Sender<Ready<u32>>,
        mut number: u32,
        mut random: Rng,
    ) -> Vec<u32> {
        let mut accepted = Vec::new();
        while accepted.len() < 125_000 {
            let producer = async {
                loop {
                    number += 1;
                    let sent = jobs.send(ready(number)).await;
                    sent.expect("there are workers");
                    accepted.push(number);
                }
            };
            dropped_after(random.u32(1..50), producer).await;
        }
        accepted
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_million_jobs_are_done_once_or_were_never_accepted() {
        let (jobs, queue) = mpsc::channel(16);
        let pool = tokio::spawn(run_all(queue, 4));
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
        assert!(given_up, "no producer was cancelled while it sent");
        let mut accepted = accepted.concat();
        let mut done = pool.await.expect("no job panics");
        accepted.sort();
        done.sort();
        assert!(done.len() >= 1_000_000, "{}", done.len());
        assert!(done == accepted, "one is lost, or was done twice");
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_it_ends_its_workers_and_drops_the_queue() {
        let (jobs, queue) = mpsc::channel(8);
        let counted = Arc::new(());
        for _ in 0..6 {
            let counted = Arc::clone(&counted);
            let job = async move {
                sleep(Duration::from_secs(1)).await;
                drop(counted);
            };
            jobs.send(job).await.expect("there is room");
        }
        let limit = Duration::from_millis(500);
        let all = tokio::time::timeout(limit, run_all(queue, 4)).await;
        assert!(all.is_err());
        yield_now().await;
        assert!(jobs.is_closed());
        assert_eq!(Arc::strong_count(&counted), 1);
    }
}
