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
    use std::future::{Ready, ready};

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

    /// Sends jobs with these numbers. One in eight is given up after a
    /// few turns. Returns the numbers that were accepted.
    async fn send(
        jobs: mpsc::Sender<Ready<u32>>,
        numbers: std::ops::Range<u32>,
        mut random: Rng,
    ) -> Vec<u32> {
        let mut accepted = Vec::new();
        for number in numbers {
            let patience = match random.u8(..8) {
                0 => random.u8(..3),
                _ => u8::MAX,
            };
            let give_up = async {
                for _ in 0..patience {
                    yield_now().await;
                }
            };
            tokio::select! {
                biased;
                sent = jobs.send(ready(number)) => {
                    sent.expect("there are workers");
                    accepted.push(number);
                }
                () = give_up => {}
            }
        }
        accepted
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_million_jobs_are_done_once_or_were_never_accepted() {
        let (jobs, queue) = mpsc::channel(16);
        let pool = tokio::spawn(run_all(queue, 4));
        let mut senders = JoinSet::new();
        for sender in 0..8 {
            let numbers = sender * 125_000..(sender + 1) * 125_000;
            let random = Rng::with_seed(u64::from(sender));
            senders.spawn(send(jobs.clone(), numbers, random));
        }
        drop(jobs);
        let mut accepted = senders.join_all().await.concat();
        let mut done = pool.await.expect("no job panics");
        accepted.sort();
        done.sort();
        assert!(done.len() < 1_000_000, "none was given up");
        assert!(done == accepted, "one is lost, or was done twice");
    }
}
