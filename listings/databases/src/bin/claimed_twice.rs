//! Wrong: two workers select the same job, and both of them claim it.

use sqlx::{
    SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

// ANCHOR: wrong
/// The first open job.
async fn look(pool: &SqlitePool) -> sqlx::Result<i64> {
    let open = "SELECT id FROM jobs WHERE state = 'open' LIMIT 1";
    sqlx::query_scalar(open).fetch_one(pool).await
}

/// Wrong: another worker may have claimed the job since.
async fn claim(pool: &SqlitePool, job: i64) -> sqlx::Result<bool> {
    let claim = "UPDATE jobs SET state = 'running' WHERE id = $1";
    let claimed = sqlx::query(claim).bind(job).execute(pool).await?;
    Ok(claimed.rows_affected() == 1)
}

/// Two workers at the same time.
async fn two_workers(pool: &SqlitePool) -> sqlx::Result<[bool; 2]> {
    let (one, other) = (look(pool).await?, look(pool).await?);
    Ok([claim(pool, one).await?, claim(pool, other).await?])
}
// ANCHOR_END: wrong

async fn open(folder: &std::path::Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("queue.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_millis(5000));
    let pool = SqlitePoolOptions::new()
        .max_connections(3)
        .connect_with(options)
        .await?;
    for statement in [
        "CREATE TABLE jobs (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            lane TEXT NOT NULL DEFAULT 'Ann',
            state TEXT NOT NULL DEFAULT 'open',
            attempts INTEGER NOT NULL DEFAULT 0,
            visible_at REAL NOT NULL DEFAULT (unixepoch('subsec'))
        ) STRICT",
        "INSERT INTO jobs (key) VALUES ('invoice-7')",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

async fn run() -> sqlx::Result<[bool; 2]> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let claimed = two_workers(&pool).await?;
    pool.close().await;
    Ok(claimed)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let [one, other] = run().await?;
    println!("one worker claimed invoice-7:     {one}");
    println!("another worker claimed invoice-7: {other}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_callers_claims_each_job_once()
    -> sqlx::Result<()> {
        // Both have it.
        assert_eq!(run().await?, [true, true]);
        Ok(())
    }
}
