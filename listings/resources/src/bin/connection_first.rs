//! `drop` returns the connection first, and then its permit.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    runtime::Builder,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};
use tokio_util::task::TaskTracker;

struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

// ANCHOR: first
struct Pooled {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    /// The last field, so it's dropped last.
    _permit: OwnedSemaphorePermit,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // If a request is unfinished, close the connection instead.
        idle.extend(self.connection.take());
    }
}
// ANCHOR_END: first

impl Pool {
    async fn get(self: &Arc<Self>) -> Pooled {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let _permit = permit.expect("it is never closed");
        let connection = self.idle.lock().expect("no panic").pop();
        assert!(connection.is_some(), "a permit is a connection");
        Pooled { pool: Arc::clone(self), connection, _permit }
    }
}

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

/// A hundred requests at the same time, on four connections. How many
/// panic?
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

/// Drops a connection where no runtime is. Returns how many are idle.
fn drop_outside() -> io::Result<usize> {
    let runtime = Builder::new_current_thread().build()?;
    let pool = Pool::new(1);
    let connection = runtime.block_on(pool.get());
    drop(runtime);
    drop(connection);
    Ok(pool.idle.lock().expect("no panic").len())
}

fn main() -> io::Result<()> {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).build()?;
    let panics =
        runtime.block_on(async { tokio::spawn(run()).await })?;
    println!("{panics} of 100 requests panicked");
    println!("dropped outside, idle: {}", drop_outside()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinError;

    use super::*;

    fn assert_whole(pool: &Pool, connections: usize) {
        let idle = pool.idle.lock().expect("no panic").len();
        let permits = pool.permits.available_permits();
        assert_eq!((idle, permits), (connections, connections));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn overload_a_hundred_requests() -> Result<(), JoinError> {
        assert_eq!(tokio::spawn(run()).await?, 0);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_a_hundred_rounds() {
        for _ in 0..100 {
            assert_eq!(run().await, 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_both_back() {
        at_every_poll(async |cancel| {
            let pool = Pool::new(1);
            let held = pool.get().await;
            let handle = cancel.run(handle(Arc::clone(&pool)));
            let release = async { drop(held) };
            tokio::join!(biased; handle, release);
            assert_whole(&pool, 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_request_gives_both_back() {
        let pool = Pool::new(1);
        let task = Arc::clone(&pool);
        let panics = tokio::spawn(async move {
            let _connection = task.get().await;
            panic!("a bug in the request");
        });
        assert!(panics.await.is_err());
        assert_whole(&pool, 1);
        within(HOUR, handle(pool)).await;
    }

    #[test]
    fn owner_gone_runtime_is_dropped() -> io::Result<()> {
        assert_eq!(drop_outside()?, 1);
        Ok(())
    }
}
