//! What a pool costs: a connection is taken and given back.

use std::{
    io,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, sleep, timeout, timeout_at},
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// Creates connections and decides which of them can be reused.
pub trait Manager: Send + Sync {
    type Connection: Send;

    fn connect(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    /// Asks the peer whether the connection still works.
    fn check(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Whether no request is in progress. Called from `drop`, so it
    /// must not wait.
    fn is_clean(&self, connection: &Self::Connection) -> bool;
}

/// How many connections there are, and how long a caller waits.
#[derive(Clone, Copy)]
pub struct Limits {
    pub connections: usize,
    /// For a free connection.
    pub wait: Duration,
    /// For the checks of idle connections, all together.
    pub check: Duration,
    /// For a new connection.
    pub connect: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no connection was free in time")]
    NoneFree,
    #[error("the pool is closed")]
    Closed,
    #[error("connecting took too long")]
    ConnectTimedOut,
    #[error("cannot connect")]
    Connect(#[source] io::Error),
}

struct Shared<M: Manager> {
    manager: M,
    limits: Limits,
    permits: Arc<Semaphore>,
    /// `None` when the pool is closed.
    idle: Mutex<Option<Vec<M::Connection>>>,
    out: TaskTracker,
}

/// A connection in use, which returns to the pool when it's dropped.
pub struct Pooled<M: Manager> {
    connection: Option<M::Connection>,
    pool: Arc<Shared<M>>,
    _out: TaskTrackerToken,
    /// The last field, so the permit is returned last.
    _permit: OwnedSemaphorePermit,
}

impl<M: Manager> Drop for Pooled<M> {
    /// Returns the connection. Then the fields are dropped.
    fn drop(&mut self) {
        let connection = self.connection.take();
        if let Some(connection) = connection
            && self.pool.manager.is_clean(&connection)
        {
            self.pool.put(connection);
        }
    }
}

impl<M: Manager> Shared<M> {
    /// If the pool is closed, this drops the connection.
    fn put(&self, connection: M::Connection) {
        if let Some(idle) = &mut *self.idle() {
            idle.push(connection);
        }
    }
}

impl<M: Manager> Shared<M> {
    /// Never held across an `.await`. Nothing panics under it.
    fn idle(&self) -> MutexGuard<'_, Option<Vec<M::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Manager> Pool<M> {
    /// A connection that answers: an idle one, or else a new one.
    ///
    /// Cancel safe: dropped at any `.await`, it closes the connection
    /// that it was about to hand out, and gives back the permit.
    pub async fn get(&self) -> Result<Pooled<M>, PoolError> {
        let Shared {
            manager, limits, ..
        } = &*self.shared;
        let permit = Arc::clone(&self.shared.permits).acquire_owned();
        let permit = timeout(limits.wait, permit)
            .await
            .map_err(|_| PoolError::NoneFree)?
            .map_err(|_| PoolError::Closed)?;
        // From here on, a guard owns the permit.
        let mut pooled = self.empty(permit);
        // The sum of now and `limits.check` could overflow.
        let deadline = sleep(limits.check).deadline();
        while let Some(mut idle) = self.take_idle()? {
            let check = manager.check(&mut idle);
            if let Ok(Ok(())) = timeout_at(deadline, check).await {
                pooled.connection = Some(idle);
                return Ok(pooled);
            }
            // `idle` is dropped here, which closes it. Try the next.
        }
        let connection = timeout(limits.connect, manager.connect())
            .await
            .map_err(|_| PoolError::ConnectTimedOut)?
            .map_err(PoolError::Connect)?;
        pooled.connection = Some(connection);
        Ok(pooled)
    }
}

impl<M: Manager> Pool<M> {
    pub fn new(manager: M, limits: Limits) -> Self {
        let shared = Shared {
            manager,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections)),
            idle: Mutex::new(Some(Vec::new())),
            out: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn empty(&self, permit: OwnedSemaphorePermit) -> Pooled<M> {
        Pooled {
            connection: None,
            pool: Arc::clone(&self.shared),
            _out: self.shared.out.token(),
            _permit: permit,
        }
    }
}

impl<M: Manager> Pool<M> {
    fn take_idle(&self) -> Result<Option<M::Connection>, PoolError> {
        let mut idle = self.shared.idle();
        Ok(idle.as_mut().ok_or(PoolError::Closed)?.pop())
    }

    /// Closes idle connections, refuses waiting callers, and returns
    /// when the last connection in use has been closed.
    ///
    /// Cancel safe: the first poll closes the pool, and another call
    /// waits for the rest.
    pub async fn close(&self) {
        // A separate statement, so that the lock isn't held meanwhile.
        let idle = self.shared.idle().take();
        drop(idle);
        self.shared.permits.close();
        self.shared.out.close();
        self.shared.out.wait().await;
    }
}

impl<M: Manager> Deref for Pooled<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        self.connection.as_ref().expect("`get` has stored one")
    }
}

impl<M: Manager> DerefMut for Pooled<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        self.connection.as_mut().expect("`get` has stored one")
    }
}

/// A pool of connections, which its clones share.
pub struct Pool<M: Manager> {
    shared: Arc<Shared<M>>,
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}
// Here the pool ends.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use deadpool::managed::{Metrics, RecycleResult};
use futures::future::join_all;
use std::hint::black_box;
use tokio::runtime::Builder;
use tokio::task::yield_now;

const TURNS: u64 = 1000;
const CALLERS: u64 = 8;
const CONNECTIONS: usize = 4;

/// Connections that are there, answer at once, and are always clean: what is measured is the pool.
#[derive(Clone, Copy)]
struct Ready;

impl Manager for Ready {
    type Connection = u64;

    async fn connect(&self) -> io::Result<u64> {
        Ok(black_box(7))
    }

    async fn check(&self, _connection: &mut u64) -> io::Result<()> {
        Ok(())
    }

    fn is_clean(&self, connection: &u64) -> bool {
        *connection == 7
    }
}

impl deadpool::managed::Manager for Ready {
    type Type = u64;
    type Error = io::Error;

    async fn create(&self) -> io::Result<u64> {
        Ok(black_box(7))
    }

    async fn recycle(&self, _connection: &mut u64, _metrics: &Metrics) -> RecycleResult<io::Error> {
        Ok(())
    }
}

impl bb8::ManageConnection for Ready {
    type Connection = u64;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<u64> {
        Ok(black_box(7))
    }

    async fn is_valid(&self, _connection: &mut u64) -> io::Result<()> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut u64) -> bool {
        *connection != 7
    }
}

/// A permit and a list, without limits of time, without a check, without an end.
struct Bare {
    permits: Semaphore,
    idle: Mutex<Vec<u64>>,
}

struct Lent<'a> {
    connection: u64,
    pool: &'a Bare,
    _permit: tokio::sync::SemaphorePermit<'a>,
}

impl Bare {
    async fn get(&self) -> Lent<'_> {
        let permit = self.permits.acquire().await.expect("it is never closed");
        let connection = self.idle.lock().expect("no panic").pop();
        let connection = connection.expect("a permit is a connection");
        Lent {
            connection,
            pool: self,
            _permit: permit,
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool
            .idle
            .lock()
            .expect("no panic")
            .push(self.connection);
    }
}

fn pools(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let limit = Duration::from_secs(30);
    let limits = Limits {
        connections: CONNECTIONS,
        wait: limit,
        check: limit,
        connect: limit,
    };
    let bare = Bare {
        permits: Semaphore::new(CONNECTIONS),
        idle: Mutex::new(vec![7; CONNECTIONS]),
    };
    let book = Pool::new(Ready, limits);
    let dead = deadpool::managed::Pool::<Ready>::builder(Ready)
        .max_size(CONNECTIONS)
        .runtime(deadpool::Runtime::Tokio1)
        .wait_timeout(Some(limit))
        .create_timeout(Some(limit))
        .recycle_timeout(Some(limit))
        .build()
        .expect("a pool");
    let eight = runtime.block_on(async {
        let builder = bb8::Pool::builder().max_size(CONNECTIONS as u32);
        builder
            .connection_timeout(limit)
            .build(Ready)
            .await
            .expect("a pool")
    });
    let mut group = criterion.benchmark_group("pools");
    macro_rules! measure {
        ($way:literal, $get:expr) => {
            group.bench_function(BenchmarkId::new($way, "alone"), |bencher| {
                bencher.iter(|| {
                    runtime.block_on(async {
                        for _ in 0..TURNS {
                            drop(black_box($get));
                        }
                    })
                });
            });
            group.bench_function(BenchmarkId::new($way, "crowd"), |bencher| {
                bencher.iter(|| {
                    runtime.block_on(join_all((0..CALLERS).map(async |_| {
                        for _ in 0..TURNS / CALLERS {
                            let connection = $get;
                            yield_now().await;
                            drop(connection);
                        }
                    })))
                });
            });
        };
    }
    measure!("bare", bare.get().await);
    measure!("book", book.get().await.expect("a connection"));
    measure!("deadpool", dead.get().await.expect("a connection"));
    measure!("bb8", eight.get().await.expect("a connection"));
    group.finish();
    runtime.block_on(book.close());
}

criterion_group!(benches, pools);
criterion_main!(benches);
