//! Wrong: a transaction stays open while the job runs.

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

// ANCHOR: wrong
/// Wrong: the caller runs the job inside this transaction.
async fn claim(
    pool: &SqlitePool,
) -> sqlx::Result<Transaction<'static, Sqlite>> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let claim = "UPDATE jobs
        SET state = 'done', attempts = attempts + 1
        WHERE id = (SELECT id FROM jobs WHERE state = 'open' LIMIT 1)";
    sqlx::query(claim).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// While the job runs, the shop adds another one. Then the worker dies.
async fn one_job(pool: &SqlitePool) -> sqlx::Result<(String, i64)> {
    let claimed = claim(pool).await?;
    let add = "INSERT INTO jobs (key) VALUES ('invoice-8')";
    let added = match sqlx::query(add).execute(pool).await {
        Ok(_) => "added".to_owned(),
        Err(error) => error.to_string(),
    };
    drop(claimed);
    let attempts = "SELECT attempts FROM jobs WHERE key = 'invoice-7'";
    Ok((added, sqlx::query_scalar(attempts).fetch_one(pool).await?))
}
// ANCHOR_END: wrong

async fn open(folder: &std::path::Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("queue.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_millis(100));
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

async fn run() -> sqlx::Result<(String, i64)> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let ended = one_job(&pool).await?;
    pool.close().await;
    Ok(ended)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let (added, attempts) = run().await?;
    println!("invoice-8: {added}");
    println!("attempts of invoice-7: {attempts}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_jobs_are_added_while_one_runs() -> sqlx::Result<()>
    {
        let (added, _) = run().await?;
        assert!(added.contains("(code: 5) database is locked"));
        Ok(())
    }

    /// A job that kills its worker is never given up.
    #[tokio::test]
    async fn crash_of_every_worker_makes_a_dead_letter()
    -> sqlx::Result<()> {
        assert_eq!(run().await?.1, 0);
        Ok(())
    }
}
