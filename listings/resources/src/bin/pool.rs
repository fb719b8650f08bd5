//! A pool: each connection goes back before its permit.

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

// ANCHOR: manager
/// Creates connections and decides which of them can be reused.
pub trait Manager: Send + Sync {
    type Connection: Send;

    fn connect(
        &self,
    ) -> impl Future<Output = io::Result<Self::Connection>> + Send;

    /// Asks the peer whether the connection still works.
    fn check(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Whether no request is in progress. Called from `drop`, so it
    /// must not wait.
    fn is_clean(&self, connection: &Self::Connection) -> bool;
}
// ANCHOR_END: manager

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

// ANCHOR: guard
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
// ANCHOR_END: guard

impl<M: Manager> Shared<M> {
    /// Never held across an `.await`. Nothing panics under it.
    fn idle(&self) -> MutexGuard<'_, Option<Vec<M::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: get
impl<M: Manager> Pool<M> {
    /// A connection that answers: an idle one, or else a new one.
    ///
    /// Cancel safe: dropped at any `.await`, it closes the connection
    /// that it was about to hand out, and gives back the permit.
    pub async fn get(&self) -> Result<Pooled<M>, PoolError> {
        let Shared { manager, limits, .. } = &*self.shared;
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
// ANCHOR_END: get

impl<M: Manager> Pool<M> {
    pub fn new(manager: M, limits: Limits) -> Self {
        let shared = Shared {
            manager,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections)),
            idle: Mutex::new(Some(Vec::new())),
            out: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared) }
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

// ANCHOR: close
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
// ANCHOR_END: close

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
        Self { shared: Arc::clone(&self.shared) }
    }
}
// Here the pool ends.

// ANCHOR: close_within
impl<M: Manager> Pool<M> {
    /// Closes the pool and waits at most this long. Returns the number
    /// of connections still in use or being opened. Each is closed when
    /// its caller drops it.
    pub async fn close_within(&self, grace: Duration) -> usize {
        timeout(grace, self.close()).await.ok();
        self.shared.out.len()
    }
}
// ANCHOR_END: close_within

use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::{task::JoinSet, time::Instant};

/// Connects to a server that needs 50 ms to greet, 10 ms to say that
/// it is there, and 100 ms for an answer.
#[derive(Default)]
struct Orders {
    connected: AtomicUsize,
}

struct Session {
    number: usize,
    /// An answer is on its way.
    is_asking: bool,
}

impl Manager for Orders {
    type Connection = Session;

    async fn connect(&self) -> io::Result<Session> {
        sleep(Duration::from_millis(50)).await;
        let number = 1 + self.connected.fetch_add(1, Relaxed);
        Ok(Session { number, is_asking: false })
    }

    async fn check(&self, _session: &mut Session) -> io::Result<()> {
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }

    fn is_clean(&self, session: &Session) -> bool {
        !session.is_asking
    }
}

impl Session {
    async fn ask(&mut self) -> io::Result<()> {
        // The caller would get the answer to an earlier question.
        if self.is_asking {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.is_asking = true;
        sleep(Duration::from_millis(100)).await;
        self.is_asking = false;
        Ok(())
    }
}

const LIMITS: Limits = Limits {
    connections: 2,
    wait: Duration::from_secs(1),
    check: Duration::from_secs(1),
    connect: Duration::from_secs(5),
};

async fn call(
    pool: &Pool<Orders>,
    start: Instant,
    caller: u32,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut session = pool.get().await?;
    session.ask().await?;
    let at = start.elapsed().as_millis();
    println!("{at} ms: caller {caller} on session {}", session.number);
    Ok(())
}

/// Five callers and two connections. The second caller gives up in the
/// middle of its question.
async fn run(pool: &Pool<Orders>) {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 1..=5 {
        let pool = pool.clone();
        callers.spawn(async move {
            let patience = if caller == 2 { 80 } else { 1000 };
            let patience = Duration::from_millis(patience);
            match timeout(patience, call(&pool, start, caller)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => println!("caller {caller}: {error}"),
                Err(_) => println!("80 ms: caller {caller} gave up"),
            }
        });
    }
    callers.join_all().await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let pool = Pool::new(Orders::default(), LIMITS);
    run(&pool).await;
    let left = pool.close_within(Duration::from_secs(10)).await;
    println!("still out: {left}");
    let refused = pool.get().await;
    println!("closed: {}", refused.is_err());
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        pin::pin,
        sync::atomic::{AtomicBool, AtomicU64},
    };

    use fastrand::Rng;
    use sqlx::{Connection, SqliteConnection};
    use tokio::task::yield_now;

    use super::*;

    /// Connections that count themselves and answer what they were
    /// asked, one question after the other. Everything takes a few
    /// turns, and some of it fails.
    #[derive(Default)]
    struct Counted {
        counts: Arc<Counts>,
        moods: AtomicU64,
    }

    #[derive(Default)]
    struct Counts {
        open: AtomicUsize,
        most_open: AtomicUsize,
        connected: AtomicUsize,
        is_down: AtomicBool,
    }

    struct Line {
        counts: Arc<Counts>,
        on_the_way: VecDeque<u64>,
    }

    impl Drop for Line {
        fn drop(&mut self) {
            self.counts.open.fetch_sub(1, Relaxed);
        }
    }

    impl Line {
        async fn ask(&mut self, question: u64) -> Option<u64> {
            self.on_the_way.push_back(question);
            yield_now().await;
            self.on_the_way.pop_front()
        }
    }

    impl Counted {
        async fn turns_and_fails(&self) -> io::Result<()> {
            let mood = self.moods.fetch_add(1, Relaxed);
            let mood = Rng::with_seed(mood).u8(..);
            turns(mood % 3).await;
            let is_down = self.counts.is_down.load(Relaxed);
            if is_down || mood > 250 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Ok(())
        }
    }

    async fn turns(count: u8) {
        for _ in 0..count {
            yield_now().await;
        }
    }

    impl Manager for Counted {
        type Connection = Line;

        async fn connect(&self) -> io::Result<Line> {
            self.turns_and_fails().await?;
            let counts = Arc::clone(&self.counts);
            counts.connected.fetch_add(1, Relaxed);
            let open = 1 + counts.open.fetch_add(1, Relaxed);
            counts.most_open.fetch_max(open, Relaxed);
            Ok(Line { counts, on_the_way: VecDeque::new() })
        }

        async fn check(&self, _line: &mut Line) -> io::Result<()> {
            self.turns_and_fails().await
        }

        fn is_clean(&self, line: &Line) -> bool {
            line.on_the_way.is_empty()
        }
    }

    fn counted(connections: usize) -> (Pool<Counted>, Arc<Counts>) {
        let manager = Counted::default();
        let counts = Arc::clone(&manager.counts);
        let limits = Limits { connections, ..LIMITS };
        (Pool::new(manager, limits), counts)
    }

    /// Nothing is out: all permits are back, and what is open is idle.
    fn assert_whole<M: Manager>(pool: &Pool<M>, open: usize) {
        let shared = &*pool.shared;
        let permits = shared.permits.available_permits();
        assert_eq!(permits, shared.limits.connections);
        assert_eq!(shared.idle().as_ref().map(Vec::len), Some(open));
    }

    /// Calls until `calls` are through, and gives one in four up after
    /// a few turns: while it waits, checks, connects, or asks.
    async fn callers(
        pool: Pool<Counted>,
        calls: u64,
        seed: u64,
    ) -> (u64, u64) {
        let mut random = Rng::with_seed(seed);
        let (mut answered, mut given_up) = (0, 0);
        for question in 0..calls {
            let question = question + seed * calls;
            let call = async {
                match pool.get().await {
                    Ok(mut line) => line.ask(question).await,
                    Err(PoolError::Connect(_)) => Some(question),
                    Err(error) => panic!("{error}"),
                }
            };
            let patience = match random.u8(..4) {
                0 => random.u8(..8),
                _ => u8::MAX,
            };
            tokio::select! {
                biased;
                answer = call => {
                    assert_eq!(answer, Some(question));
                    answered += 1;
                }
                () = turns(patience) => given_up += 1,
            }
        }
        (answered, given_up)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn threads_a_million_calls_leave_it_whole() {
        // On a busy machine, a second is too short.
        let wait = Duration::from_secs(60);
        let limits = Limits { connections: 4, wait, ..LIMITS };
        let manager = Counted::default();
        let counts = Arc::clone(&manager.counts);
        let pool = Pool::new(manager, limits);
        let mut tasks = JoinSet::new();
        for seed in 0..8 {
            tasks.spawn(callers(pool.clone(), 125_000, seed));
        }
        let (mut answered, mut given_up) = (0, 0);
        while let Some(ended) = tasks.join_next().await {
            let (answers, losses) = ended.expect("no caller panics");
            answered += answers;
            given_up += losses;
        }
        assert_eq!(answered + given_up, 1_000_000);
        assert!(given_up > 100_000, "only {given_up} gave up");
        assert!(answered > 500_000, "only {answered} were answered");
        assert!(counts.most_open.load(Relaxed) <= 4);
        assert_whole(&pool, counts.open.load(Relaxed));
        pool.close().await;
        assert_eq!(counts.open.load(Relaxed), 0);
    }

    /// Drops `get` after each number of polls, until it is through:
    /// before it begins, while it checks or connects, and after that.
    #[tokio::test(flavor = "multi_thread")]
    async fn cancel_leaves_it_whole_wherever_get_is_dropped() {
        for is_idle in [false, true] {
            for polls in 0.. {
                let (pool, counts) = counted(1);
                if is_idle {
                    drop(pool.get().await);
                }
                // What it does next takes two turns, and succeeds.
                pool.shared.manager.moods.store(5, Relaxed);
                let mut get = Box::pin(pool.get());
                let mut is_through = false;
                for _ in 0..polls {
                    is_through |= futures::poll!(&mut get).is_ready();
                    if is_through {
                        break;
                    }
                }
                drop(get);
                let is_kept = is_through || is_idle && polls == 0;
                assert_eq!(
                    counts.open.load(Relaxed),
                    usize::from(is_kept)
                );
                assert_whole(&pool, usize::from(is_kept));
                let got = pool.get().await.is_ok();
                assert!(got, "{polls} polls");
                if is_through {
                    assert_eq!(polls, 3, "dropped twice half-way");
                    break;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_queue_costs_no_permit() {
        let (pool, counts) = counted(1);
        let line = pool.get().await;
        let mut waits = Box::pin(pool.get());
        assert!(futures::poll!(&mut waits).is_pending());
        drop(line);
        // It has been given the permit, and has not been polled.
        drop(waits);
        assert_whole(&pool, counts.open.load(Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_to_connect_takes_no_place() {
        let (pool, counts) = counted(2);
        counts.is_down.store(true, Relaxed);
        for _ in 0..10 {
            let refused = pool.get().await;
            assert!(matches!(refused, Err(PoolError::Connect(_))));
        }
        counts.is_down.store(false, Relaxed);
        assert_whole(&pool, 0);
        let (one, other) = (pool.get().await, pool.get().await);
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_a_check_replaces_the_connection() {
        let (pool, counts) = counted(1);
        drop(pool.get().await);
        counts.is_down.store(true, Relaxed);
        assert!(pool.get().await.is_err());
        assert_eq!(counts.open.load(Relaxed), 0);
        counts.is_down.store(false, Relaxed);
        assert!(pool.get().await.is_ok());
        assert_eq!(counts.connected.load(Relaxed), 2);
    }

    /// Never answers.
    struct Silent {
        connects: bool,
    }

    impl Manager for Silent {
        type Connection = ();

        async fn connect(&self) -> io::Result<()> {
            if !self.connects {
                std::future::pending::<()>().await;
            }
            Ok(())
        }

        async fn check(&self, (): &mut ()) -> io::Result<()> {
            std::future::pending().await
        }

        fn is_clean(&self, (): &()) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_each_limit() {
        let limits = Limits { connections: 1, ..LIMITS };
        let pool = Pool::new(Silent { connects: true }, limits);
        let start = Instant::now();
        let held = pool.get().await;
        assert!(held.is_ok());
        assert!(matches!(pool.get().await, Err(PoolError::NoneFree)));
        assert_eq!(start.elapsed(), limits.wait);
        drop(held);
        // The one that is idle does not answer: a new one is made.
        assert!(pool.get().await.is_ok());
        assert_eq!(start.elapsed(), limits.wait + limits.check);
        let pool = Pool::new(Silent { connects: false }, limits);
        let start = Instant::now();
        let refused = pool.get().await;
        assert!(matches!(refused, Err(PoolError::ConnectTimedOut)));
        assert_eq!(start.elapsed(), limits.connect);
        assert_whole(&pool, 0);
    }

    /// Ten idle connections are silent. All checks share one limit.
    #[tokio::test(start_paused = true)]
    async fn silence_of_all_idle_connections_does_not_add_up() {
        let limits = Limits { connections: 10, ..LIMITS };
        let pool = Pool::new(Silent { connects: true }, limits);
        let all = (0..10).map(|_| pool.get());
        drop(futures::future::join_all(all).await);
        let start = Instant::now();
        assert!(pool.get().await.is_ok());
        assert_eq!(start.elapsed(), limits.check);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_middle_of_a_question() {
        let pool = Pool::new(Orders::default(), LIMITS);
        run(&pool).await;
        // The one of the caller who gave up is closed.
        assert_eq!(pool.shared.manager.connected.load(Relaxed), 3);
        assert_whole(&pool, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_connections_that_are_out() {
        let (pool, counts) = counted(2);
        drop(pool.get().await);
        let (one, other) = (pool.get().await, pool.get().await);
        drop(one);
        let mut waits = pin!(async {
            let _one = pool.get().await;
            pool.get().await
        });
        assert!(futures::poll!(waits.as_mut()).is_pending());
        let mut closes = pin!(pool.close());
        assert!(futures::poll!(closes.as_mut()).is_pending());
        // A second call waits as well.
        let mut again = pin!(pool.close());
        assert!(futures::poll!(again.as_mut()).is_pending());
        assert!(matches!(waits.await, Err(PoolError::Closed)));
        assert!(futures::poll!(closes.as_mut()).is_pending());
        assert!(counts.open.load(Relaxed) > 0);
        drop(other);
        closes.await;
        again.await;
        assert_eq!(counts.open.load(Relaxed), 0);
        assert!(matches!(pool.get().await, Err(PoolError::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_one_that_connects() {
        let pool = Pool::new(Orders::default(), LIMITS);
        let mut connects = pin!(pool.get());
        assert!(futures::poll!(connects.as_mut()).is_pending());
        assert_eq!(pool.close_within(Duration::ZERO).await, 1);
        let mut closes = pin!(pool.close());
        assert!(futures::poll!(closes.as_mut()).is_pending());
        let session = connects.await;
        assert!(session.is_ok());
        assert!(futures::poll!(closes.as_mut()).is_pending());
        drop(session);
        closes.await;
        assert!(pool.shared.idle().is_none());
    }

    #[test]
    fn owner_gone_runtime_is_dropped() -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let (pool, counts) = counted(1);
        let line = runtime.block_on(pool.get());
        drop(runtime);
        drop(line);
        assert_whole(&pool, counts.open.load(Relaxed));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn stop_ends_with_the_grace_period() {
        let (pool, counts) = counted(2);
        let kept = pool.get().await;
        let start = Instant::now();
        assert_eq!(pool.close_within(LIMITS.wait).await, 1);
        assert_eq!(start.elapsed(), LIMITS.wait);
        drop(kept);
        assert_eq!(pool.close_within(LIMITS.wait).await, 0);
        assert_eq!(counts.open.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_caller_gives_the_connection_back() {
        let (pool, counts) = counted(2);
        for _ in 0..10 {
            let pool = pool.clone();
            let panics = tokio::spawn(async move {
                let _line = pool.get().await;
                panic!("a bug in the caller");
            });
            assert!(panics.await.is_err());
        }
        assert_whole(&pool, counts.open.load(Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_serves_or_refuses_all() {
        let pool = Pool::new(Orders::default(), LIMITS);
        let mut callers = JoinSet::new();
        for caller in 0..50 {
            let (pool, start) = (pool.clone(), Instant::now());
            callers.spawn(async move {
                call(&pool, start, caller).await.is_ok()
            });
        }
        let served = callers.join_all().await;
        let served = served.into_iter().filter(|is_ok| *is_ok).count();
        // Two at a time, within the second that a caller waits.
        assert!((16..50).contains(&served), "{served}");
        assert_whole(&pool, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_pool_without_places() {
        let (pool, _) = counted(0);
        assert!(matches!(pool.get().await, Err(PoolError::NoneFree)));
        pool.close().await;
        pool.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_limits_that_never_end() {
        let limits = Limits {
            wait: Duration::MAX,
            check: Duration::MAX,
            connect: Duration::MAX,
            ..LIMITS
        };
        let pool = Pool::new(Orders::default(), limits);
        for _ in 0..2 {
            let session = pool.get().await.ok();
            assert_eq!(session.map(|it| it.number), Some(1));
        }
        assert_eq!(pool.close_within(Duration::MAX).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_same_connection_is_lent() {
        let pool = Pool::new(Orders::default(), LIMITS);
        for _ in 0..3 {
            let session = pool.get().await.ok();
            assert_eq!(session.map(|it| it.number), Some(1));
        }
    }

    struct Sqlite;

    impl Manager for Sqlite {
        type Connection = SqliteConnection;

        async fn connect(&self) -> io::Result<SqliteConnection> {
            let connection =
                SqliteConnection::connect("sqlite::memory:").await;
            connection.map_err(io::Error::other)
        }

        async fn check(
            &self,
            connection: &mut SqliteConnection,
        ) -> io::Result<()> {
            connection.ping().await.map_err(io::Error::other)
        }

        /// A transaction that was dropped is rolled back by the next
        /// statement, which is the check.
        fn is_clean(&self, _connection: &SqliteConnection) -> bool {
            true
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_lends_connections_to_sqlite() -> sqlx::Result<()> {
        let limits = Limits {
            connections: 3,
            wait: Duration::from_secs(60),
            ..LIMITS
        };
        let pool = Pool::new(Sqlite, limits);
        let mut tasks: JoinSet<sqlx::Result<bool>> = JoinSet::new();
        for number in 0..100_i64 {
            let pool = pool.clone();
            tasks.spawn(async move {
                let mut connection =
                    pool.get().await.map_err(sqlx::Error::decode)?;
                let mut transaction = connection.begin().await?;
                let doubled: i64 = sqlx::query_scalar("SELECT 2 * $1")
                    .bind(number)
                    .fetch_one(&mut *transaction)
                    .await?;
                if number % 2 == 0 {
                    transaction.commit().await?;
                }
                Ok(doubled == 2 * number)
            });
        }
        for is_right in tasks.join_all().await {
            assert!(is_right?);
        }
        let idle = pool.shared.idle().as_ref().map_or(0, Vec::len);
        assert!((1..=3).contains(&idle), "{idle}");
        assert_whole(&pool, idle);
        pool.close().await;
        Ok(())
    }

    /// The pool in a program, however its lines are broken.
    fn pool_in(program: &str) -> String {
        let lines = program
            .lines()
            .skip_while(|line| !line.starts_with("use std::{"))
            .take_while(|line| *line != "// Here the pool ends.")
            .filter(|line| !line.starts_with("// ANCHOR"));
        let counts =
            |sign: &char| !sign.is_whitespace() && *sign != ',';
        lines.flat_map(str::chars).filter(counts).collect()
    }

    /// In the book, other programs have this pool as well, word for
    /// word. Where you have copied it to, they are not there.
    #[test]
    fn it_is_the_same_pool_everywhere() -> io::Result<()> {
        let package = std::env::current_dir()?;
        if package.file_name().is_none_or(|name| name != "resources") {
            return Ok(());
        }
        let read = |path| std::fs::read_to_string(package.join(path));
        let this = pool_in(&read("src/bin/pool.rs")?);
        assert!(this.len() > 2000, "it was not found");
        let path = "src/bin/pool_health.rs";
        assert!(this == pool_in(&read(path)?), "{path}");
        let path = "../../benches/pools.rs";
        assert!(this == pool_in(&read(path)?), "{path}");
        Ok(())
    }

    /// Panics when it connects, or when it checks.
    struct Panics {
        when_connecting: AtomicBool,
    }

    impl Manager for Panics {
        type Connection = ();

        async fn connect(&self) -> io::Result<()> {
            let panics = self.when_connecting.load(Relaxed);
            assert!(!panics, "a bug in connecting");
            Ok(())
        }

        async fn check(&self, (): &mut ()) -> io::Result<()> {
            panic!("a bug in the check")
        }

        fn is_clean(&self, (): &()) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_manager_costs_no_place() {
        let limits = Limits { connections: 1, ..LIMITS };
        let when_connecting = AtomicBool::new(false);
        let pool = Pool::new(Panics { when_connecting }, limits);
        drop(pool.get().await);
        for round in 0..3 {
            let task = pool.clone();
            let panics =
                tokio::spawn(async move { task.get().await.is_ok() });
            assert!(panics.await.is_err(), "{round}");
            assert_whole(&pool, 0);
            let manager = &pool.shared.manager;
            manager.when_connecting.store(true, Relaxed);
        }
        let manager = &pool.shared.manager;
        manager.when_connecting.store(false, Relaxed);
        assert!(pool.get().await.is_ok());
    }
}
