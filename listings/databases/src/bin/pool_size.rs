//! How large should a pool be? The same load on six sizes.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

// ANCHOR: database
/// Runs four queries at a time, for 10 ms each. Every connection beyond
/// the fourth makes all queries a little slower, as memory and locks do.
/// A second of this program is a millisecond of the database, because
/// Tokio's timers round up to whole milliseconds.
struct Database {
    cores: Semaphore,
}

impl Database {
    async fn query(&self, connections: u32) {
        let turn = self.cores.acquire().await;
        let _turn = turn.expect("it is never closed");
        let surplus = connections.saturating_sub(4);
        let takes = 10_000 + u64::from(surplus) * 50;
        sleep(Duration::from_millis(takes)).await;
    }
}
// ANCHOR_END: database

struct Run {
    in_pool: Duration,
    in_database: Duration,
    took: Duration,
}

/// 400 requests at the same time, on so many connections. How long does
/// each wait for a connection, and how long for the database?
async fn run(connections: u32) -> Run {
    let database = Database { cores: Semaphore::new(4) };
    let pool = Semaphore::new(connections as usize);
    let start = Instant::now();
    let requests = (0..400).map(async |_| {
        let connection = pool.acquire().await;
        let in_pool = start.elapsed();
        database.query(connections).await;
        drop(connection);
        (in_pool, start.elapsed() - in_pool)
    });
    let waits = join_all(requests).await;
    let took = start.elapsed();
    let in_pool = waits.iter().map(|wait| wait.0).sum::<Duration>();
    let in_database = waits.iter().map(|wait| wait.1).sum::<Duration>();
    Run { in_pool: in_pool / 400, in_database: in_database / 400, took }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("size   all   in the pool   in the database");
    for connections in [1, 2, 4, 8, 50, 200] {
        let Run { in_pool, in_database, took } = run(connections).await;
        println!(
            "{connections:4}{:6}{:14}{:18}",
            took.as_secs(),
            in_pool.as_secs(),
            in_database.as_secs()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beyond_the_cores_the_wait_moves() {
        let [two, four, eight, many] =
            [run(2).await, run(4).await, run(8).await, run(200).await];
        assert_eq!(four.took * 2, two.took);
        // 2 % more, as the model says.
        assert_eq!(eight.took.as_secs(), 1020);
        assert_eq!(many.took.as_secs(), 1980);
        assert!(many.in_database > 10 * four.in_database);
    }
}
