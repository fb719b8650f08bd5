//! The same with deadpool: a manager, and three time limits.

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

    /// Looks at a session that was idle, before it is lent again.
    async fn recycle(
        &self,
        session: &mut Session,
        _metrics: &Metrics,
    ) -> RecycleResult<io::Error> {
        if session.is_asking {
            let reason = "its caller left in the middle of a question";
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
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
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
}

impl Orders {
    async fn connect(&self) -> io::Result<Session> {
        sleep(Duration::from_millis(50)).await;
        let number = 1 + self.connected.fetch_add(1, Relaxed);
        Ok(Session { number, is_asking: false })
    }
}

struct Session {
    number: usize,
    /// An answer is on its way.
    is_asking: bool,
}

impl Session {
    async fn ping(&mut self) -> io::Result<()> {
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }

    async fn ask(&mut self) {
        self.is_asking = true;
        sleep(Duration::from_millis(100)).await;
        self.is_asking = false;
    }
}

async fn call(
    pool: &Pool<Orders>,
    start: Instant,
    caller: u32,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut session = pool.get().await?;
    session.ask().await;
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

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_session_in_use_is_replaced()
    -> Result<(), Box<dyn Error>> {
        let pool = open(Orders::default())?;
        run(&pool).await;
        assert_eq!(pool.manager().connected.load(Relaxed), 3);
        assert_eq!(pool.status().size, 2);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_its_limit() -> Result<(), Box<dyn Error>> {
        let pool = open(Orders::default())?;
        let held = (pool.get().await?, pool.get().await?);
        let start = Instant::now();
        let full = pool.get().await;
        let Err(PoolError::Timeout(TimeoutType::Wait)) = full else {
            panic!("both are out");
        };
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        drop(held);
        assert!(pool.get().await.is_ok());
        Ok(())
    }

    /// Its `close` does not wait: what is out stays open.
    #[tokio::test(start_paused = true)]
    async fn closing_does_not_wait() -> Result<(), Box<dyn Error>> {
        let pool = open(Orders::default())?;
        let mut held = pool.get().await?;
        pool.close();
        held.ask().await;
        assert_eq!(pool.status().size, 1);
        drop(held);
        assert_eq!(pool.status().size, 0);
        Ok(())
    }
}
