//! Wrong: what was taken out is not put back when the caller goes.

use std::{sync::Mutex, time::Duration};

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
struct Pool {
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// Wrong: dropped at the `.await`, this never comes to the last
    /// step. The connection is dropped with it.
    async fn query(&self) -> Result<u32, &'static str> {
        let taken = self.idle.lock().expect("no panic").pop();
        let connection = taken.ok_or("no connection left")?;
        connection.query().await;
        let number = connection.0;
        self.idle.lock().expect("no panic").push(connection);
        Ok(number)
    }
}
// ANCHOR_END: wrong

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
    async fn a_connection_is_lost_with_its_caller() {
        let pool = Pool::new();
        let told = two_callers(&pool).await;
        assert_eq!(told, "the second: no connection left");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_that_waits_gives_it_back() {
        assert_eq!(Pool::new().query().await, Ok(1));
    }
}
