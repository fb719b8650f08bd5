//! A statement keeps running in the database after a timeout.

// ANCHOR: statement
use sqlx::AnyPool;
use tokio::time::{Duration, timeout};

/// Archives a million orders, which takes a while.
const ARCHIVE: &str = "
    WITH RECURSIVE numbers (id) AS (
        SELECT 1 UNION ALL
        SELECT id + 1 FROM numbers WHERE id < 1000000
    )
    INSERT INTO archive SELECT id FROM numbers";

/// Gives up early and then counts the archived orders.
async fn give_up(pool: &AnyPool) -> sqlx::Result<i64> {
    let mut connection = pool.acquire().await?;
    // In a single message, without preparing the statement first.
    let archived = sqlx::raw_sql(ARCHIVE).execute(&mut *connection);
    let in_time = timeout(Duration::from_millis(20), archived).await;
    assert!(in_time.is_err(), "it takes longer");
    sqlx::query_scalar("SELECT COUNT(*) FROM archive")
        .fetch_one(&mut *connection)
        .await
}
// ANCHOR_END: statement

use sqlx::any::{AnyPoolOptions, install_default_drivers};

/// Opens a pool with one connection and its temporary table.
async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        // A call that is dropped during this test would close the
        // connection, and its temporary tables would be lost.
        .test_before_acquire(false)
        .connect(address)
        .await?;
    sqlx::query("CREATE TEMPORARY TABLE archive (id BIGINT NOT NULL)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let server = std::env::var("DATABASE_URL");
    let pool =
        open(server.as_deref().unwrap_or("sqlite::memory:")).await?;
    println!("given up; archived: {}", give_up(&pool).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn sqlite() -> sqlx::Result<()> {
        let pool = open("sqlite::memory:").await?;
        assert_eq!(give_up(&pool).await?, 1_000_000);
        Ok(())
    }

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn postgresql() -> sqlx::Result<()> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let pool = open(&address).await?;
        assert_eq!(give_up(&pool).await?, 1_000_000);
        Ok(())
    }
}
