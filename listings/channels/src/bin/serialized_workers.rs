//! Wrong: the lock is held while a job runs, so only one worker works.

// ANCHOR: wrong
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

type Queue = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Works until the queue is empty and closed.
async fn work(queue: Queue) {
    // Wrong: the guard in the condition lives until the body ends.
    while let Some(job) = queue.lock().await.recv().await {
        job.run().await;
    }
}
// ANCHOR_END: wrong

use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

struct Job;

impl Job {
    async fn run(self) {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Eight jobs of a second each, on four workers.
async fn run() -> Duration {
    let start = Instant::now();
    let (jobs, queue) = mpsc::channel(8);
    for _ in 0..8 {
        jobs.send(Job).await.expect("there is room for eight");
    }
    drop(jobs);
    let queue = Arc::new(Mutex::new(queue));
    let mut pool = JoinSet::new();
    for _ in 0..4 {
        pool.spawn(work(Arc::clone(&queue)));
    }
    pool.join_all().await;
    start.elapsed()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("eight jobs, four workers: {} s", run().await.as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_eight_jobs_on_four_workers() {
        assert_eq!(run().await, Duration::from_secs(8));
    }
}
