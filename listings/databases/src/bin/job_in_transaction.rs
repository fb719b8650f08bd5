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
    use std::io::Write as _;

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

    /// On PostgreSQL, other writers aren't held up, but a connection is.
    #[tokio::test]
    async fn failure_in_postgresql() -> sqlx::Result<()> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let pool = sqlx::PgPool::connect(&address).await?;
        let table = format!("held_jobs_{}", std::process::id());
        for statement in [
            "CREATE TABLE {} (attempts INTEGER)",
            "INSERT INTO {} VALUES (0)",
        ] {
            let statement = statement.replace("{}", &table);
            let statement = sqlx::AssertSqlSafe(statement);
            sqlx::query(statement).execute(&pool).await?;
        }
        let claim =
            format!("UPDATE {table} SET attempts = attempts + 1");
        let mut claimed = pool.begin().await?;
        let process = "SELECT pg_backend_pid()";
        let process = sqlx::query_scalar(process);
        let process: i32 = process.fetch_one(&mut *claimed).await?;
        let claim = sqlx::query(sqlx::AssertSqlSafe(claim));
        claim.execute(&mut *claimed).await?;
        let state = "SELECT state FROM pg_stat_activity WHERE pid = $1";
        let state = sqlx::query_scalar(state).bind(process);
        let state: String = state.fetch_one(&pool).await?;
        assert_eq!(state, "idle in transaction");
        claimed.rollback().await?;
        let attempts = format!("SELECT attempts FROM {table}");
        let attempts = sqlx::AssertSqlSafe(attempts);
        let attempts = sqlx::query_scalar(attempts);
        let attempts: i32 = attempts.fetch_one(&pool).await?;
        assert_eq!(attempts, 0);
        let drop = sqlx::AssertSqlSafe(format!("DROP TABLE {table}"));
        sqlx::query(drop).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }
}
