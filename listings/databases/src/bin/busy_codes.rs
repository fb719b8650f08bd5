//! The codes of "database is locked", and which of them wait.

// ANCHOR: codes
use std::time::{Duration, Instant};

use sqlx::{Executor, SqlitePool};

/// How long a writer waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// Another transaction is writing for longer than the busy timeout.
async fn a_writer_is_active(pool: &SqlitePool) -> sqlx::Result<()> {
    let _writer = pool.begin_with("BEGIN IMMEDIATE").await?;
    pool.execute("UPDATE stock SET amount = 4").await?;
    Ok(())
}

/// Another transaction wrote after this one had read.
async fn the_snapshot_is_old(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    transaction.execute("SELECT amount FROM stock").await?;
    pool.execute("UPDATE stock SET amount = 4").await?;
    transaction.execute("UPDATE stock SET amount = 4").await?;
    Ok(())
}

/// In a shared cache, two transactions read, and then both write.
async fn both_want_to_write(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut one = pool.begin().await?;
    let mut other = pool.begin().await?;
    one.execute("SELECT amount FROM stock").await?;
    other.execute("SELECT amount FROM stock").await?;
    let write = "UPDATE stock SET amount = 4";
    tokio::try_join!(one.execute(write), other.execute(write))?;
    Ok(())
}
// ANCHOR_END: codes

use std::path::Path;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
};

async fn open(
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options.busy_timeout(BUSY_TIMEOUT))
        .await?;
    pool.execute(
        "CREATE TABLE stock (amount INTEGER NOT NULL);
         INSERT INTO stock VALUES (5);",
    )
    .await?;
    Ok(pool)
}

fn file(folder: &Path, name: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(folder.join(name))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
}

/// The error's code and message, and whether the call waited.
fn told(failed: &sqlx::Result<()>, start: Instant) -> String {
    let waited = match start.elapsed() < BUSY_TIMEOUT {
        true => "immediately",
        false => "after the busy timeout",
    };
    match failed {
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            format!("{code} {}, {waited}", error.message())
        }
        other => format!("{other:?}"),
    }
}

async fn run() -> sqlx::Result<[String; 3]> {
    let folder = tempfile::tempdir()?;
    let writers = open(file(folder.path(), "writers.db")).await?;
    let start = Instant::now();
    let busy = told(&a_writer_is_active(&writers).await, start);
    writers.close().await;
    let snapshots = open(file(folder.path(), "snapshots.db")).await?;
    let start = Instant::now();
    let snapshot = told(&the_snapshot_is_old(&snapshots).await, start);
    snapshots.close().await;
    let shared = open("sqlite::memory:".parse()?).await?;
    let start = Instant::now();
    let deadlock = told(&both_want_to_write(&shared).await, start);
    Ok([busy, snapshot, deadlock])
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let [busy, snapshot, deadlock] = run().await?;
    println!("a writer is active:  {busy}");
    println!("the snapshot is old: {snapshot}");
    println!("a shared cache:      {deadlock}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_code_and_whether_it_waits() -> sqlx::Result<()> {
        assert_eq!(
            run().await?,
            [
                "5 database is locked, after the busy timeout",
                "517 database is locked, immediately",
                "6 database is deadlocked, immediately",
            ]
        );
        Ok(())
    }

    /// The busy timeout doesn't apply to a shared cache.
    #[tokio::test]
    async fn a_shared_cache_waits_without_a_limit() -> sqlx::Result<()>
    {
        let pool = open("sqlite::memory:".parse()?).await?;
        let writer = pool.begin_with("BEGIN IMMEDIATE").await?;
        let write = pool.execute("UPDATE stock SET amount = 4");
        let write = tokio::time::timeout(BUSY_TIMEOUT * 6, write);
        assert!(write.await.is_err(), "it waits");
        drop(writer);
        Ok(())
    }
}
