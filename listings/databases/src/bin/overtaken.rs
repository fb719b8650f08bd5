//! Wrong: sorting by age doesn't keep the order of a customer's jobs.

use sqlx::{
    SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

// ANCHOR: wrong
/// Leases the oldest visible job.
async fn claim(pool: &SqlitePool) -> sqlx::Result<Option<String>> {
    // Wrong: the oldest *visible* job needn't be Ann's oldest job.
    let claim = "UPDATE jobs SET visible_at = unixepoch('subsec') + 60
        WHERE id = (SELECT id FROM jobs AS job WHERE state = 'open'
            AND visible_at <= unixepoch('subsec')
            ORDER BY id LIMIT 1)
        RETURNING key";
    Ok(sqlx::query_scalar(claim).fetch_all(pool).await?.pop())
}

/// Two workers claim a job each.
async fn two_workers(
    pool: &SqlitePool,
) -> sqlx::Result<[Option<String>; 2]> {
    Ok([claim(pool).await?, claim(pool).await?])
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
        "INSERT INTO jobs (key) VALUES ('invoice-7'), ('refund-7')",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

async fn run() -> sqlx::Result<[Option<String>; 2]> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let claimed = two_workers(&pool).await?;
    pool.close().await;
    Ok(claimed)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    for claimed in run().await? {
        println!("running: {}", claimed.as_deref().unwrap_or("-"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_a_retried_job_is_not_overtaken() -> sqlx::Result<()>
    {
        // Both of Ann's jobs run at the same time.
        let [_, second] = run().await?;
        assert_eq!(second.as_deref(), Some("refund-7"));
        Ok(())
    }
}
