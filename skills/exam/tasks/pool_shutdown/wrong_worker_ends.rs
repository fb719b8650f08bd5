//! Fails: a_panic_costs_no_worker, a_stop_can_be_canceled_and_called_again
//! A panic ends its worker, and the canceled `stop` drops the `JoinSet` that it took, which aborts the jobs.

use futures::future::BoxFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

#[derive(Debug, PartialEq)]
pub struct Stopped;

type Job = BoxFuture<'static, ()>;

pub struct Pool {
    sender: mpsc::Sender<Job>,
    stopping: CancellationToken,
    workers: Mutex<JoinSet<()>>,
    unfinished: Arc<AtomicUsize>,
}

impl Pool {
    pub fn new(workers: usize, queue: usize) -> Self {
        let (sender, jobs) = mpsc::channel::<Job>(queue);
        let jobs = Arc::new(tokio::sync::Mutex::new(jobs));
        let unfinished = Arc::new(AtomicUsize::new(0));
        let stopping = CancellationToken::new();
        let mut set = JoinSet::new();
        for _ in 0..workers {
            let (jobs, unfinished) = (jobs.clone(), unfinished.clone());
            let stopping = stopping.clone();
            set.spawn(async move {
                loop {
                    let job = {
                        let mut jobs = jobs.lock().await;
                        tokio::select! {
                            biased;
                            () = stopping.cancelled() => {
                                jobs.close();
                                jobs.recv().await
                            }
                            job = jobs.recv() => job,
                        }
                    };
                    let Some(job) = job else {
                        return;
                    };
                    job.await;
                    unfinished.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
        Self {
            sender,
            stopping,
            workers: Mutex::new(set),
            unfinished,
        }
    }

    pub async fn submit(
        &self,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Stopped> {
        let permit = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(Stopped),
            permit = self.sender.reserve() => permit.map_err(|_| Stopped)?,
        };
        self.unfinished.fetch_add(1, Ordering::SeqCst);
        permit.send(Box::pin(job));
        Ok(())
    }

    pub async fn stop(&self, patience: Duration) -> usize {
        self.stopping.cancel();
        let mut workers = std::mem::take(&mut *self.workers.lock().unwrap());
        let all = async { while workers.join_next().await.is_some() {} };
        if timeout(patience, all).await.is_err() {
            workers.shutdown().await;
        }
        self.unfinished.load(Ordering::SeqCst)
    }
}
