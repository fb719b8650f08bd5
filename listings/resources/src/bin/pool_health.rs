//! The pool with TCP connections, some of which the server closes.

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
        Self { shared: Arc::clone(&self.shared) }
    }
}
// Here the pool ends.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

// ANCHOR: session
struct Session {
    stream: BufReader<TcpStream>,
    is_asking: bool,
    number: u32,
}

impl Session {
    /// Takes ten seconds at most, and reads a thousand bytes at most.
    /// Not cancel safe: after a cancellation or an error, `is_asking`
    /// stays set, and the pool closes the session.
    async fn ask(&mut self, question: &str) -> io::Result<String> {
        // We'd read an older answer, or leave an answer unread.
        if self.is_asking || question.contains('\n') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.is_asking = true;
        let line = format!("{question}\n");
        let mut answer = String::new();
        let ask = async {
            self.stream.write_all(line.as_bytes()).await?;
            let mut line = (&mut self.stream).take(1000);
            line.read_line(&mut answer).await
        };
        timeout(Duration::from_secs(10), ask).await??;
        // It's cut off if it's too long, or if the server hangs up.
        if !answer.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.is_asking = !self.stream.buffer().is_empty();
        Ok(answer)
    }
}
// ANCHOR_END: session

/// Where the server is, and what was done with it.
struct Orders {
    server: SocketAddr,
    connected: AtomicU32,
    found_dead: AtomicU32,
}

// ANCHOR: orders
impl Manager for Orders {
    type Connection = Session;

    async fn connect(&self) -> io::Result<Session> {
        let stream = TcpStream::connect(self.server).await?;
        let number = 1 + self.connected.fetch_add(1, Relaxed);
        let stream = BufReader::new(stream);
        Ok(Session { stream, is_asking: false, number })
    }

    async fn check(&self, session: &mut Session) -> io::Result<()> {
        let answer = session.ask("ping").await;
        let is_pong = answer.is_ok_and(|it| it == "pong\n");
        if !is_pong || session.is_asking {
            self.found_dead.fetch_add(1, Relaxed);
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    fn is_clean(&self, session: &Session) -> bool {
        !session.is_asking
    }
}
// ANCHOR_END: orders

/// Accepts one connection after the other, and serves them all.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        sessions.spawn(answer(BufReader::new(stream)));
        while sessions.try_join_next().is_some() {}
    }
}

/// Hangs up after three orders, as a server does when it restarts, and
/// a load balancer when a connection is idle.
async fn answer(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let (mut line, mut orders) = (String::new(), 0);
    while orders < 3 && stream.read_line(&mut line).await? > 0 {
        let answer = if line == "ping\n" {
            "pong\n".to_owned()
        } else {
            orders += 1;
            format!("placed: {line}")
        };
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

const LIMITS: Limits = Limits {
    connections: 2,
    wait: Duration::from_secs(10),
    check: Duration::from_secs(10),
    connect: Duration::from_secs(10),
};

async fn start() -> io::Result<(Pool<Orders>, JoinSet<io::Result<()>>)>
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener));
    let (connected, found_dead) = Default::default();
    let orders = Orders { server, connected, found_dead };
    Ok((Pool::new(orders, LIMITS), tasks))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (pool, _server) = start().await?;
    for order in 1..=8 {
        let mut session = pool.get().await.map_err(io::Error::other)?;
        let answer = session.ask(&format!("order {order}")).await?;
        print!("session {}: {answer}", session.number);
    }
    let found_dead = pool.shared.manager.found_dead.load(Relaxed);
    println!("found dead by the check: {found_dead}");
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use tokio::task::yield_now;

    use super::*;

    /// Whatever is canceled, the next caller gets its own answer.
    #[tokio::test]
    async fn cancel_anywhere_the_next_one_is_answered() -> io::Result<()>
    {
        let (pool, _server) = start().await?;
        let pool = &pool;
        hazards::at_every_poll(async |cancel| {
            let ask = async {
                let got = pool.get().await;
                got.map_err(io::Error::other)?.ask("one").await
            };
            cancel.run(ask).await;
            let mut next = pool.get().await.expect("it connects");
            let answer = next.ask("two").await;
            assert_eq!(answer.ok().as_deref(), Some("placed: two\n"));
        })
        .await;
        let permits = pool.shared.permits.available_permits();
        assert_eq!(permits, LIMITS.connections);
        Ok(())
    }

    /// A server that accepts connections, and says this.
    async fn answer_of(says: &str) -> io::Result<(io::Error, bool)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let orders = Orders {
            server,
            connected: AtomicU32::new(0),
            found_dead: AtomicU32::new(0),
        };
        let mut session = orders.connect().await?;
        let (mut stream, _) = listener.accept().await?;
        let answers = async move {
            let mut question = [0; 5];
            stream.read_exact(&mut question).await?;
            stream.write_all(says.as_bytes()).await
        };
        let (answer, sent) = tokio::join!(session.ask("ping"), answers);
        sent?;
        let error = answer.expect_err("it is no answer");
        Ok((error, orders.is_clean(&session)))
    }

    #[tokio::test]
    async fn crash_of_the_server_in_the_middle_of_a_line()
    -> io::Result<()> {
        for says in ["", "po", "pong"] {
            let (_, is_clean) = answer_of(says).await?;
            assert!(!is_clean);
        }
        Ok(())
    }

    /// The caller gives up, and asks again on the same connection.
    #[tokio::test]
    async fn again_after_a_cancellation_it_is_refused() -> io::Result<()>
    {
        let (pool, _server) = start().await?;
        let mut session = pool.get().await.map_err(io::Error::other)?;
        let mut first = Box::pin(session.ask("7"));
        assert!(futures::poll!(first.as_mut()).is_pending());
        drop(first);
        let error = session.ask("8").await.expect_err("7 is asked");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        drop(session);
        let mut next = pool.get().await.map_err(io::Error::other)?;
        assert_eq!(next.number, 2);
        assert_eq!(next.ask("9").await?, "placed: 9\n");
        Ok(())
    }

    /// Otherwise, the next question would get the second line's answer.
    #[tokio::test]
    async fn edges_a_question_of_two_lines_is_refused() -> io::Result<()>
    {
        let (pool, _server) = start().await?;
        let mut session = pool.get().await.map_err(io::Error::other)?;
        let error = session.ask("7\n8").await.expect_err("two lines");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(session.ask("9").await?, "placed: 9\n");
        assert_eq!(session.ask("").await?, "placed: \n");
        Ok(())
    }

    /// The system accepts the connection, and nobody answers.
    #[tokio::test]
    async fn silence_of_the_server_ends_with_the_limit()
    -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let (connected, found_dead) = Default::default();
        let orders = Orders { server, connected, found_dead };
        let mut session = orders.connect().await?;
        tokio::time::pause();
        let answer = session.ask("ping").await;
        let error = answer.expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(!orders.is_clean(&session));
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_idle_connections() -> io::Result<()> {
        let (pool, _server) = start().await?;
        for order in 0..30 {
            let session = pool.get().await.map_err(io::Error::other);
            let answer = session?.ask(&order.to_string()).await?;
            assert_eq!(answer, format!("placed: {order}\n"));
        }
        let manager = &pool.shared.manager;
        assert_eq!(manager.connected.load(Relaxed), 10);
        assert_eq!(manager.found_dead.load(Relaxed), 9);
        Ok(())
    }

    /// One caller in four gives up after a few polls. Nobody gets the
    /// answer to a question of somebody else.
    async fn callers(pool: Pool<Orders>, seed: u64) -> io::Result<u32> {
        let (mut random, mut given_up) = (Rng::with_seed(seed), 0);
        for order in 0..200 {
            let question = format!("{seed}.{order}");
            let call = async {
                let got = pool.get().await;
                let mut session = got.map_err(io::Error::other)?;
                session.ask(&question).await
            };
            let patience = match random.u8(..4) {
                0 => random.u16(..50),
                _ => u16::MAX,
            };
            let give_up = async {
                for _ in 0..patience {
                    yield_now().await;
                }
            };
            tokio::select! {
                biased;
                answer = call => {
                    assert_eq!(answer?, format!("placed: {question}\n"));
                }
                () = give_up => given_up += 1,
            }
        }
        Ok(given_up)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_the_answers_to_their_questions()
    -> io::Result<()> {
        let (pool, _server) = start().await?;
        let mut tasks = JoinSet::new();
        for seed in 0..8 {
            tasks.spawn(callers(pool.clone(), seed));
        }
        let mut given_up = 0;
        for callers in tasks.join_all().await {
            given_up += callers?;
        }
        assert!(given_up > 0);
        let permits = pool.shared.permits.available_permits();
        assert_eq!(permits, LIMITS.connections);
        pool.close().await;
        assert_eq!(pool.shared.out.len(), 0);
        Ok(())
    }
}
