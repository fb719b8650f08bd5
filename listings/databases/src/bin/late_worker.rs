//! Wrong: a worker that has lost its lease changes the job.

use sqlx::{
    SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

// ANCHOR: wrong
/// Leases a job for so many seconds, and returns its lease's number.
async fn claim(
    pool: &SqlitePool,
    seconds: f64,
) -> sqlx::Result<Option<i64>> {
    let claim = "UPDATE jobs SET attempts = attempts + 1,
            visible_at = unixepoch('subsec') + $1
        WHERE id = (SELECT id FROM jobs WHERE state = 'open'
            AND visible_at <= unixepoch('subsec') LIMIT 1)
        RETURNING attempts";
    let claim = sqlx::query_scalar(claim).bind(seconds);
    Ok(claim.fetch_all(pool).await?.pop())
}

/// Wrong: doesn't check whether the worker still owns the lease.
async fn fail(pool: &SqlitePool, _lease: i64) -> sqlx::Result<bool> {
    let fail = "UPDATE jobs SET visible_at = unixepoch('subsec')
        WHERE key = 'invoice-7'";
    let failed = sqlx::query(fail).execute(pool).await?;
    Ok(failed.rows_affected() == 1)
}

/// The first worker needs longer than its lease, and fails late.
async fn three_workers(
    pool: &SqlitePool,
) -> sqlx::Result<(bool, Option<i64>)> {
    let first = claim(pool, 0.0).await?.ok_or(RowNotFound)?;
    let second = claim(pool, 60.0).await?.ok_or(RowNotFound)?;
    let failed = fail(pool, first).await?;
    assert!(first < second);
    // The second worker still runs the job.
    Ok((failed, claim(pool, 60.0).await?))
}
// ANCHOR_END: wrong

use sqlx::Error::RowNotFound;

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

async fn run() -> sqlx::Result<(bool, Option<i64>)> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let ended = three_workers(&pool).await?;
    pool.close().await;
    Ok(ended)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let (failed, third) = run().await?;
    println!("the first worker changed the job: {failed}");
    println!("a third worker's lease: {third:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_a_late_worker_changes_nothing() -> sqlx::Result<()> {
        // It changed the job, and two workers run it now.
        assert_eq!(run().await?, (true, Some(3)));
        Ok(())
    }
}
