//! The same pool with deadpool: a manager and three timeouts.

// ANCHOR: manager
use deadpool::{
    Runtime,
    managed::{
        BuildError, Manager, Metrics, Pool, RecycleError, RecycleResult,
    },
};

impl Manager for Orders {
    type Type = Session;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Session> {
        self.connect().await
    }

    /// Checks an idle session before it's reused.
    async fn recycle(
        &self,
        session: &mut Session,
        _metrics: &Metrics,
    ) -> RecycleResult<io::Error> {
        if session.is_asking {
            let reason = "its caller left before the answer came";
            return Err(RecycleError::message(reason));
        }
        session.ping().await.map_err(RecycleError::Backend)
    }
}

fn open(orders: Orders) -> Result<Pool<Orders>, BuildError> {
    Pool::builder(orders)
        .max_size(2)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(1)))
        .recycle_timeout(Some(Duration::from_secs(1)))
        .create_timeout(Some(Duration::from_secs(5)))
        .build()
}
// ANCHOR_END: manager

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

/// Connects to a server that needs 50 ms to greet, 10 ms to say that
/// it is there, and 100 ms for an answer.
#[derive(Default)]
struct Orders {
    connected: AtomicUsize,
    is_down: AtomicBool,
    is_silent: Arc<AtomicBool>,
}

impl Orders {
    async fn connect(&self) -> io::Result<Session> {
        sleep(Duration::from_millis(50)).await;
        answers(&self.is_silent).await;
        if self.is_down.load(Relaxed) {
            return Err(io::Error::other("the server is down"));
        }
        let number = 1 + self.connected.fetch_add(1, Relaxed);
        let is_silent = Arc::clone(&self.is_silent);
        Ok(Session { number, is_asking: false, is_silent })
    }
}

struct Session {
    number: usize,
    /// An answer is on its way.
    is_asking: bool,
    is_silent: Arc<AtomicBool>,
}

/// Never returns while the server is silent.
async fn answers(is_silent: &AtomicBool) {
    if is_silent.load(Relaxed) {
        std::future::pending().await
    }
}

impl Session {
    async fn ping(&mut self) -> io::Result<()> {
        answers(&self.is_silent).await;
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }

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
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = open(Orders::default())?;
    run(&pool).await;
    let status = pool.status();
    println!("open: {}, waiting: {}", status.size, status.waiting);
    pool.close();
    println!("closed: {}", pool.get().await.is_err());
    Ok(())
}

#[cfg(test)]
mod tests {
    use deadpool::managed::{PoolError, TimeoutType};
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn pool() -> Pool<Orders> {
        open(Orders::default()).expect("it has a runtime")
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_middle_of_a_question() {
        let pool = pool();
        run(&pool).await;
        assert_eq!(pool.manager().connected.load(Relaxed), 3);
        assert_eq!(pool.status().size, 2);
    }

    /// Dropped while it connects, checks, or asks: the two places stay,
    /// and nobody gets a session in the middle of a question.
    #[tokio::test(start_paused = true)]
    async fn cancel_costs_no_place() {
        for is_idle in [false, true] {
            at_every_poll(async |cancel| {
                let pool = pool();
                if is_idle {
                    drop(pool.get().await);
                }
                let ask = async {
                    if let Ok(mut session) = pool.get().await {
                        session.ask().await.expect("it is whole");
                    }
                };
                cancel.run(ask).await;
                let two =
                    async { tokio::join!(pool.get(), pool.get()) };
                let (one, other) = within(HOUR, two).await;
                for session in [one, other] {
                    let session = session.expect("there are two");
                    assert!(!session.is_asking);
                }
                assert!(pool.status().size <= 2);
            })
            .await;
        }
    }

    /// The caller gives up, and asks again on the same session.
    #[tokio::test(start_paused = true)]
    async fn again_after_a_timeout_it_is_refused() {
        let pool = pool();
        let mut session = pool.get().await.expect("it connects");
        let patience = Duration::from_millis(80);
        assert!(timeout(patience, session.ask()).await.is_err());
        let error = session.ask().await.expect_err("one is asked");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        drop(session);
        let next = pool.get().await.expect("it connects");
        assert_eq!(next.number, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_caller_gives_the_session_back() {
        let pool = pool();
        for _ in 0..3 {
            let pool = pool.clone();
            let panics = tokio::spawn(async move {
                let _session = pool.get().await;
                panic!("a bug in the caller");
            });
            assert!(panics.await.is_err());
        }
        assert_eq!(pool.manager().connected.load(Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ends_with_the_wait() {
        let pool = pool();
        let held = (pool.get().await, pool.get().await);
        let start = Instant::now();
        let full = pool.get().await;
        let Err(PoolError::Timeout(TimeoutType::Wait)) = full else {
            panic!("both are out");
        };
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        drop(held);
        assert!(pool.get().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_an_error() {
        let pool = pool();
        drop(pool.get().await);
        pool.manager().is_silent.store(true, Relaxed);
        // The idle session doesn't answer, and neither does a new one.
        let start = Instant::now();
        let silent = within(HOUR, pool.get()).await;
        let Err(PoolError::Timeout(TimeoutType::Create)) = silent
        else {
            panic!("nobody answers");
        };
        let limits = Duration::from_millis(1000 + 50 + 5000);
        assert!(start.elapsed() <= limits);
        pool.manager().is_silent.store(false, Relaxed);
        assert!(pool.get().await.is_ok());
        assert_eq!(pool.status().size, 1);
    }

    /// Each idle session has its own limit. A limit for all of `get`
    /// ends the wait earlier, and no place in the pool is lost.
    #[tokio::test(start_paused = true)]
    async fn silence_of_idle_sessions_adds_up() {
        let pool = pool();
        for with_a_limit in [false, true] {
            drop(tokio::join!(pool.get(), pool.get()));
            assert_eq!(pool.status().available, 2);
            pool.manager().is_silent.store(true, Relaxed);
            let start = Instant::now();
            let seconds = if with_a_limit { 2 } else { 3600 };
            let limit = Duration::from_secs(seconds);
            let got = timeout(limit, pool.get()).await;
            assert_eq!(got.is_err(), with_a_limit);
            let expected = if with_a_limit { 2 } else { 1 + 1 + 5 };
            assert_eq!(start.elapsed().as_secs(), expected);
            pool.manager().is_silent.store(false, Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_says_why_and_costs_no_place() {
        let pool = pool();
        pool.manager().is_down.store(true, Relaxed);
        for _ in 0..10 {
            let refused = pool.get().await;
            let Err(PoolError::Backend(error)) = refused else {
                panic!("it is down");
            };
            assert_eq!(error.to_string(), "the server is down");
        }
        pool.manager().is_down.store(false, Relaxed);
        assert!(pool.get().await.is_ok());
    }

    /// Its `close` doesn't wait: sessions that are out stay open.
    #[tokio::test(start_paused = true)]
    async fn stop_does_not_wait() {
        let pool = pool();
        let mut held = pool.get().await.expect("it connects");
        pool.close();
        assert!(pool.get().await.is_err());
        held.ask().await.expect("an answer");
        assert_eq!(pool.status().size, 1);
        drop(held);
        assert_eq!(pool.status().size, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_two_sessions() {
        let pool = pool();
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let pool = pool.clone();
            tasks.spawn(async move {
                for _ in 0..5 {
                    let session = pool.get().await;
                    assert!(!session.expect("in time").is_asking);
                }
            });
        }
        tasks.join_all().await;
        assert!(pool.manager().connected.load(Relaxed) <= 2);
    }
}
