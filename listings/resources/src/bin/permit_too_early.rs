//! Wrong: the permit is released before the connection is back.

use std::{panic, sync::Arc};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    task::{JoinError, yield_now},
};
use tokio_util::task::TaskTracker;

struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

// ANCHOR: wrong
struct Pooled {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    async fn get(self: &Arc<Self>) -> Pooled {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let _permit = permit.expect("it is never closed");
        let connection = self.idle.lock().await.pop();
        assert!(connection.is_some(), "a permit is a connection");
        Pooled { pool: Arc::clone(self), connection, _permit }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let pool = Arc::clone(&self.pool);
        let connection = self.connection.take();
        // Wrong: the connection is returned some time later. The
        // permit is a field, so it's released when `drop` returns.
        tokio::spawn(async move {
            pool.idle.lock().await.extend(connection);
        });
    }
}
// ANCHOR_END: wrong

/// Stands for a connection to a database.
struct Connection;

impl Pool {
    fn new(connections: usize) -> Arc<Self> {
        let idle = (0..connections).map(|_| Connection).collect();
        let permits = Arc::new(Semaphore::new(connections));
        Arc::new(Self { idle: Mutex::new(idle), permits })
    }
}

/// A request: a query, and then an answer to the client.
async fn handle(pool: Arc<Pool>) {
    let connection = pool.get().await;
    yield_now().await;
    drop(connection);
    yield_now().await;
}

/// A hundred requests, on four connections. How many panic?
async fn run() -> usize {
    let (pool, requests) = (Pool::new(4), TaskTracker::new());
    let handles: Vec<_> = (0..100)
        .map(|_| requests.spawn(handle(Arc::clone(&pool))))
        .collect();
    requests.close();
    requests.wait().await;
    let mut panics = 0;
    for handle in handles {
        panics += usize::from(handle.await.is_err());
    }
    panics
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), JoinError> {
    // A line for each panic would fill the screen.
    panic::set_hook(Box::new(|_| ()));
    let panics = tokio::spawn(run()).await?;
    println!("{panics} of 100 requests panicked");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn overload_a_hundred_requests() -> Result<(), JoinError> {
        let panics = tokio::spawn(run()).await?;
        assert!(panics > 50, "{panics}");
        Ok(())
    }

    /// What is spawned first runs first, on this runtime.
    #[tokio::test]
    async fn in_a_test_of_one_thread_it_does_not_show() {
        assert_eq!(run().await, 0);
    }
}
