//! A lock makes accepting and stopping atomic, closed semaphores release those who wait, and a canceled `stop` leaves the workers.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[derive(Debug, PartialEq)]
pub struct Stopped;

pub struct Pool {
    shared: Arc<Shared>,
    workers: tokio::sync::Mutex<JoinSet<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// The free places in the queue.
    places: Semaphore,
    /// The jobs in the queue.
    waiting: Semaphore,
}

#[derive(Default)]
struct State {
    queue: VecDeque<BoxFuture<'static, ()>>,
    unfinished: usize,
    is_stopped: bool,
}

impl Pool {
    pub fn new(workers: usize, queue: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            places: Semaphore::new(queue),
            waiting: Semaphore::new(0),
        });
        let workers = (0..workers).map(|_| work(shared.clone())).collect();
        let workers = tokio::sync::Mutex::new(workers);
        Self { shared, workers }
    }

    pub async fn submit(
        &self,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Stopped> {
        let place = self.shared.places.acquire().await.map_err(|_| Stopped)?;
        let mut state = self.shared.state.lock().expect("nothing panics");
        if state.is_stopped {
            return Err(Stopped);
        }
        place.forget();
        state.queue.push_back(job.boxed());
        state.unfinished += 1;
        self.shared.waiting.add_permits(1);
        Ok(())
    }

    pub async fn stop(&self, patience: Duration) -> usize {
        self.shared.state.lock().expect("nothing panics").is_stopped = true;
        self.shared.places.close();
        self.shared.waiting.close();
        let mut workers = self.workers.lock().await;
        let ended = async { while workers.join_next().await.is_some() {} };
        if timeout(patience, ended).await.is_err() {
            workers.shutdown().await;
        }
        let mut state = self.shared.state.lock().expect("nothing panics");
        let left = std::mem::take(&mut state.queue);
        let count = state.unfinished;
        drop(state);
        // A job's destructor is other people's code: the lock is free.
        drop(left);
        count
    }
}

async fn work(shared: Arc<Shared>) {
    loop {
        let waiting = shared.waiting.acquire().await;
        // Closed: what is in the queue is still worked off.
        let is_closed = waiting.map(|it| it.forget()).is_err();
        let job = shared
            .state
            .lock()
            .expect("nothing panics")
            .queue
            .pop_front();
        if let Some(job) = job {
            shared.places.add_permits(1);
            // The panic hook has reported it.
            _ = AssertUnwindSafe(job).catch_unwind().await;
            shared.state.lock().expect("nothing panics").unfinished -= 1;
        } else if is_closed {
            return;
        }
    }
}
