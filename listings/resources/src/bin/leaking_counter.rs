//! Wrong: a pool that counts manually shrinks with every failure.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::time::{Duration, sleep, timeout};

// ANCHOR: wrong
struct Pool {
    server: Server,
    idle: Mutex<Vec<Connection>>,
    open: AtomicUsize,
}

impl Pool {
    async fn get(&self) -> io::Result<Connection> {
        let idle = self.idle.lock().expect("no panic").pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        if self.open.fetch_add(1, Relaxed) >= 3 {
            self.open.fetch_sub(1, Relaxed);
            return Err(io::Error::other("all three are in use"));
        }
        // Wrong: after an error or a cancellation, it stays counted.
        self.server.connect().await
    }
}
// ANCHOR_END: wrong

impl Pool {
    fn new() -> Self {
        let (idle, open) = (Mutex::default(), AtomicUsize::new(0));
        Self { server: Server::default(), idle, open }
    }
}

/// Stands for a connection to a database.
#[derive(Debug)]
struct Connection;

/// Refuses connections while it is down.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_and_failures_while_it_connects() {
        let pool = Pool::new();
        assert!(four_callers(&pool).await.is_err());
        assert_eq!(pool.open.load(Relaxed), 3);
    }
}
