//! Fails: a_waiting_submit_is_refused_at_once, a_stop_can_be_canceled_and_called_again, a_dropped_pool_ends_its_tasks
//! Who waits for a place holds a sender, so its job is still accepted; and `stop` takes the handles, so canceling it loses them.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

#[derive(Debug, PartialEq)]
pub struct Stopped;

type Job = BoxFuture<'static, ()>;

pub struct Pool {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    unfinished: Arc<AtomicUsize>,
    jobs: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>,
}

impl Pool {
    pub fn new(workers: usize, queue: usize) -> Self {
        let (sender, jobs) = mpsc::channel::<Job>(queue);
        let jobs = Arc::new(tokio::sync::Mutex::new(jobs));
        let unfinished = Arc::new(AtomicUsize::new(0));
        let workers = (0..workers)
            .map(|_| {
                let (jobs, unfinished) = (jobs.clone(), unfinished.clone());
                tokio::spawn(async move {
                    loop {
                        let job = jobs.lock().await.recv().await;
                        let Some(job) = job else {
                            return;
                        };
                        let _ = AssertUnwindSafe(job).catch_unwind().await;
                        unfinished.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        Self {
            sender: Mutex::new(Some(sender)),
            workers: Mutex::new(workers),
            unfinished,
            jobs,
        }
    }

    pub async fn submit(
        &self,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Stopped> {
        let sender = self.sender.lock().unwrap().clone().ok_or(Stopped)?;
        let permit = sender.reserve().await.map_err(|_| Stopped)?;
        self.unfinished.fetch_add(1, Ordering::SeqCst);
        permit.send(job.boxed());
        Ok(())
    }

    pub async fn stop(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        self.sender.lock().unwrap().take();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap());
        for mut worker in workers {
            if timeout_at(deadline, &mut worker).await.is_err() {
                worker.abort();
                let _ = worker.await;
            }
        }
        let mut jobs = self.jobs.lock().await;
        jobs.close();
        while jobs.try_recv().is_ok() {}
        self.unfinished.load(Ordering::SeqCst)
    }
}
