//! sqlx's own pool: its settings, and the error when it's full.

// ANCHOR: settings
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use std::time::Duration;
use tokio::time::timeout;

async fn open(address: &str) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        // All processes together must stay below the server's limit.
        .max_connections(4)
        // For waiting, checking, and connecting together.
        .acquire_timeout(Duration::from_millis(200))
        // A firewall drops connections that are idle for longer.
        .idle_timeout(Duration::from_secs(5 * 60))
        // So that a new server gets its share of the connections.
        .max_lifetime(Duration::from_secs(30 * 60))
        .connect(address)
        .await
}
// ANCHOR_END: settings

// ANCHOR: full
async fn run(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut reports = Vec::new();
    for _ in 0..4 {
        reports.push(pool.acquire().await?);
    }
    let (open, idle) = (pool.size(), pool.num_idle());
    println!("open: {open}, idle: {idle}");
    if let Err(error) = pool.acquire().await {
        println!("a fifth: {error}");
    }
    drop(reports);
    let one = sqlx::query_scalar::<_, i64>("SELECT 1");
    println!("then: {}", one.fetch_one(pool).await?);
    if !close(pool, Duration::from_secs(5)).await {
        println!("still out: {}", pool.size());
    }
    if let Err(error) = pool.acquire().await {
        println!("closed: {error}");
    }
    Ok(())
}

/// Waits for connections in use, but no longer than the limit. Returns
/// whether all of them came back.
async fn close(pool: &SqlitePool, limit: Duration) -> bool {
    timeout(limit, pool.close()).await.is_ok()
}
// ANCHOR_END: full

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.db");
    let address = format!("sqlite:{}?mode=rwc", file.display());
    run(&open(&address).await?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    /// All four places are free. On a busy machine, SQLite may take
    /// longer than the time limit.
    async fn assert_four_are_free(pool: &SqlitePool) {
        for _ in 0..50 {
            let four = tokio::try_join!(
                pool.acquire(),
                pool.acquire(),
                pool.acquire(),
                pool.acquire(),
            );
            if four.is_ok() {
                return;
            }
        }
        panic!("a place is lost");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_is_an_error() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(pool.acquire().await?);
        }
        let full = pool.acquire().await;
        assert!(matches!(full, Err(sqlx::Error::PoolTimedOut)));
        drop(held);
        assert_four_are_free(&pool).await;
        Ok(())
    }

    /// Each time, all four places are there afterwards.
    #[tokio::test]
    async fn cancel_costs_no_place() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        let pool = &pool;
        at_every_poll(async |cancel| {
            cancel.run(async { drop(pool.acquire().await) }).await;
            assert_four_are_free(pool).await;
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn panic_gives_the_connection_back() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        for _ in 0..5 {
            let pool = pool.clone();
            let panics = tokio::spawn(async move {
                let _connection = pool.acquire().await;
                panic!("a bug in the report");
            });
            assert!(panics.await.is_err());
        }
        assert_four_are_free(&pool).await;
        Ok(())
    }

    #[tokio::test]
    async fn stop_waits_for_what_is_out() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        let held = pool.acquire().await?;
        let limit = Duration::from_millis(20);
        let minute = Duration::from_secs(60);
        let closed = hazards::within(minute, close(&pool, limit)).await;
        assert!(!closed);
        assert_eq!(pool.size(), 1);
        // Nobody gets another one meanwhile.
        let closed = pool.acquire().await;
        assert!(matches!(closed, Err(sqlx::Error::PoolClosed)));
        drop(held);
        assert!(close(&pool, minute).await);
        assert_eq!(pool.size(), 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_says_why() {
        let missing = open("sqlite:no/such/folder/orders.db").await;
        let error = missing.expect_err("there is no such folder");
        assert!(matches!(error, sqlx::Error::Database(_)));
    }

    #[test]
    fn clock_the_default_is_longer_than_a_client_waits() {
        let default = SqlitePoolOptions::new().get_acquire_timeout();
        assert_eq!(default, Duration::from_secs(30));
    }
}
