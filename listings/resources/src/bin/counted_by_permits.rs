//! A permit is counted for exactly as long as it's held.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Duration, sleep, timeout},
};

// ANCHOR: counted
struct Pool {
    server: Server,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Pool {
    /// Keep the permit as long as you keep the connection. The pattern
    /// `(connection, _)` would drop the permit immediately.
    async fn get(
        &self,
    ) -> io::Result<(Connection, SemaphorePermit<'_>)> {
        let all_out = |_| io::Error::other("all three are in use");
        let permit = self.permits.try_acquire().map_err(all_out)?;
        let idle = self.idle.lock().expect("no panic").pop();
        if let Some(connection) = idle {
            return Ok((connection, permit));
        }
        // An error, a timeout, and a cancellation all drop the permit.
        let limit = Duration::from_secs(5);
        let connection =
            timeout(limit, self.server.connect()).await??;
        Ok((connection, permit))
    }
}
// ANCHOR_END: counted

impl Pool {
    fn new() -> Self {
        let (idle, permits) = (Mutex::default(), Semaphore::new(3));
        let server = Server {
            is_up: false.into(),
            takes: Duration::from_secs(1),
            is_broken: false,
        };
        Self { server, idle, permits }
    }
}

/// Stands for a connection to a database.
#[derive(Debug)]
struct Connection;

/// Refuses connections while it is down.
struct Server {
    is_up: AtomicBool,
    takes: Duration,
    is_broken: bool,
}

impl Server {
    async fn connect(&self) -> io::Result<Connection> {
        sleep(self.takes).await;
        assert!(!self.is_broken, "a bug in the driver");
        let is_up = self.is_up.load(Relaxed);
        let down = || io::Error::other("the server is down");
        is_up.then_some(Connection).ok_or_else(down)
    }
}

/// The server is down: one caller gives up, and two get an error. Then
/// it's up again, and another caller comes.
async fn four_callers(pool: &Pool) -> io::Result<()> {
    let patience = Duration::from_millis(100);
    assert!(timeout(patience, pool.get()).await.is_err());
    for _ in 0..2 {
        println!("{}", pool.get().await.expect_err("it is down"));
    }
    pool.server.is_up.store(true, Relaxed);
    pool.get().await.map(drop)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match four_callers(&Pool::new()).await {
        Ok(()) => println!("up again: connected"),
        Err(error) => println!("up again: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_and_failures_while_it_connects() {
        let pool = Pool::new();
        assert!(four_callers(&pool).await.is_ok());
        assert_eq!(pool.permits.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permit_back() {
        at_every_poll(async |cancel| {
            let pool = Pool::new();
            cancel.run(pool.get()).await;
            assert_eq!(pool.permits.available_permits(), 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn failure_costs_no_place() {
        let pool = Pool::new();
        for _ in 0..10 {
            let error = pool.get().await.expect_err("it is down");
            assert_eq!(error.to_string(), "the server is down");
        }
        assert_eq!(pool.permits.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_an_error() {
        let mut pool = Pool::new();
        pool.server.takes = HOUR;
        let all = futures::future::join_all([
            pool.get(),
            pool.get(),
            pool.get(),
            pool.get(),
        ]);
        let all = within(HOUR / 2, all).await;
        assert!(all.iter().all(Result::is_err));
        drop(all);
        assert_eq!(pool.permits.available_permits(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_leave_all_permits() {
        let mut pool = Pool::new();
        pool.server.takes = Duration::from_millis(1);
        let pool = std::sync::Arc::new(pool);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..50 {
            let pool = std::sync::Arc::clone(&pool);
            tasks.spawn(async move {
                pool.server.is_up.store(task % 2 == 0, Relaxed);
                pool.get().await.map(drop).is_ok()
            });
        }
        tasks.join_all().await;
        assert_eq!(pool.permits.available_permits(), 3);
    }

    /// The connection is still open, but isn't counted.
    #[tokio::test(start_paused = true)]
    async fn overload_is_not_noticed_without_the_permit()
    -> io::Result<()> {
        let pool = Pool::new();
        pool.server.is_up.store(true, Relaxed);
        let (_one, _) = pool.get().await?;
        assert_eq!(pool.permits.available_permits(), 3);
        let (_two, _permit) = pool.get().await?;
        assert_eq!(pool.permits.available_permits(), 2);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused() {
        let pool = Pool::new();
        pool.server.is_up.store(true, Relaxed);
        let three = tokio::join!(pool.get(), pool.get(), pool.get());
        assert!(three.0.is_ok() && three.1.is_ok() && three.2.is_ok());
        assert!(pool.get().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_permit_back() {
        let mut pool = Pool::new();
        pool.server.is_broken = true;
        let pool = std::sync::Arc::new(pool);
        for _ in 0..5 {
            let pool = std::sync::Arc::clone(&pool);
            let panics =
                tokio::spawn(async move { pool.get().await.is_ok() });
            assert!(panics.await.is_err());
        }
        assert_eq!(pool.permits.available_permits(), 3);
    }
}
