//! sqlx's own pool: its settings, and what it says when it is full.

// ANCHOR: settings
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use std::time::Duration;

async fn open(address: &str) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        // All processes together stay below what the server takes.
        .max_connections(4)
        // Waits for a free one, checks it, connects: all in this time.
        .acquire_timeout(Duration::from_millis(200))
        // A firewall forgets what is idle for longer.
        .idle_timeout(Duration::from_secs(5 * 60))
        // So that a server that is new gets its share.
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
    pool.close().await;
    if let Err(error) = pool.acquire().await {
        println!("closed: {error}");
    }
    Ok(())
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
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_pool_says_so() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(pool.acquire().await?);
        }
        let full = pool.acquire().await;
        assert!(matches!(full, Err(sqlx::Error::PoolTimedOut)));
        drop(held);
        assert!(pool.acquire().await.is_ok());
        Ok(())
    }

    #[test]
    fn the_default_is_longer_than_a_client_waits() {
        let default = SqlitePoolOptions::new().get_acquire_timeout();
        assert_eq!(default, Duration::from_secs(30));
    }
}
