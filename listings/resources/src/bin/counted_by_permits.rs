//! A permit counts for as long as somebody has it.

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
    async fn get(
        &self,
    ) -> io::Result<(Connection, SemaphorePermit<'_>)> {
        let all_out = |_| io::Error::other("all three are out");
        let permit = self.permits.try_acquire().map_err(all_out)?;
        let idle = self.idle.lock().expect("no panic").pop();
        if let Some(connection) = idle {
            return Ok((connection, permit));
        }
        // Whoever fails here, or gives up, drops the permit.
        let connection = self.server.connect().await?;
        Ok((connection, permit))
    }
}
// ANCHOR_END: counted

impl Pool {
    fn new() -> Self {
        let (idle, permits) = (Mutex::default(), Semaphore::new(3));
        Self { server: Server::default(), idle, permits }
    }
}

/// A connection to a database, so to speak.
#[derive(Debug)]
struct Connection;

/// Does not answer while it is down.
#[derive(Default)]
struct Server {
    is_up: AtomicBool,
}

impl Server {
    async fn connect(&self) -> io::Result<Connection> {
        sleep(Duration::from_secs(1)).await;
        let is_up = self.is_up.load(Relaxed);
        let down = || io::Error::other("the server is down");
        is_up.then_some(Connection).ok_or_else(down)
    }
}

/// The server is down: one caller gives up, and two are told. Then it
/// is up again, and another one comes.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_cost_no_place() {
        let pool = Pool::new();
        assert!(four_callers(&pool).await.is_ok());
        assert_eq!(pool.permits.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn three_are_the_limit() {
        let pool = Pool::new();
        pool.server.is_up.store(true, Relaxed);
        let three = tokio::join!(pool.get(), pool.get(), pool.get());
        assert!(three.0.is_ok() && three.1.is_ok() && three.2.is_ok());
        assert!(pool.get().await.is_err());
    }
}
