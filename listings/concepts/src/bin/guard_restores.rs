//! A guard puts back what was taken out, however the caller ends.

use std::{sync::Mutex, time::Duration};

use tokio::time::{sleep, timeout};

// ANCHOR: pool
struct Pool {
    idle: Mutex<Vec<Connection>>,
}

/// A connection that goes back when it is dropped.
struct Taken<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock().expect("no panic");
        idle.extend(self.connection.take());
    }
}

impl Pool {
    /// Cancel safe: dropped at the `.await`, the guard is dropped.
    async fn query(&self) -> Result<u32, &'static str> {
        let connection = self.idle.lock().expect("no panic").pop();
        let taken = Taken { pool: self, connection };
        let connection = taken.connection.as_ref();
        let connection = connection.ok_or("no connection left")?;
        connection.query().await;
        Ok(connection.0)
    }
}
// ANCHOR_END: pool

impl Pool {
    fn new() -> Self {
        Self { idle: Mutex::new(vec![Connection(1)]) }
    }
}

/// A connection to a database, so to speak.
#[derive(Debug)]
struct Connection(u32);

impl Connection {
    async fn query(&self) {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Two callers: the first gives up after 100 ms.
async fn two_callers(pool: &Pool) -> String {
    let limit = Duration::from_millis(100);
    if timeout(limit, pool.query()).await.is_err() {
        println!("the first caller gave up");
    }
    match pool.query().await {
        Ok(number) => format!("the second got connection {number}"),
        Err(error) => format!("the second: {error}"),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{}", two_callers(&Pool::new()).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_caller_gets_it() {
        let told = two_callers(&Pool::new()).await;
        assert_eq!(told, "the second got connection 1");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_there_whenever_the_caller_goes() {
        let pool = Pool::new();
        for polls in 0..3 {
            let mut query = Box::pin(pool.query());
            for _ in 0..polls {
                assert!(futures::poll!(query.as_mut()).is_pending());
            }
            drop(query);
            assert_eq!(pool.idle.lock().expect("no panic").len(), 1);
        }
    }
}
