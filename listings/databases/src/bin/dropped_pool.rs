//! Wrong: the file of a dropped pool is still open.

// ANCHOR: wrong
use std::{path::Path, time::Duration};

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

/// Adds a column, with no other connection of this process open.
async fn migrate(
    pool: SqlitePool,
    file: &Path,
) -> sqlx::Result<SqlitePool> {
    // Wrong: only asks the connections to close, when they can.
    drop(pool);
    let migrated = open(file).await?;
    sqlx::query("ALTER TABLE sales ADD COLUMN note TEXT")
        .execute(&migrated)
        .await?;
    Ok(migrated)
}
// ANCHOR_END: wrong

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

/// Opens a file whose writers wait for a moment.
async fn open(file: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_millis(20));
    SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await
}

/// Opens a file, and gives up an import that takes a while. The
/// database still executes its statement.
async fn importing(file: &Path) -> sqlx::Result<SqlitePool> {
    let pool = open(file).await?;
    sqlx::query("CREATE TABLE sales (id INTEGER PRIMARY KEY)")
        .execute(&pool)
        .await?;
    let import = sqlx::query(
        "WITH RECURSIVE numbers (id) AS (
             SELECT 1 UNION ALL
             SELECT id + 1 FROM numbers WHERE id < 1000000
         )
         INSERT INTO sales SELECT id FROM numbers",
    );
    let mut connection = pool.acquire().await?;
    let import = import.execute(&mut *connection);
    let import =
        tokio::time::timeout(Duration::from_millis(20), import);
    assert!(import.await.is_err(), "it takes longer");
    Ok(pool)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sales.db");
    let pool = importing(&file).await?;
    match migrate(pool, &file).await {
        Ok(_) => println!("migrated"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_statement_is_waited_for() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("sales.db");
        let pool = importing(&file).await?;
        // It isn't waited for.
        let error = migrate(pool, &file).await.expect_err("locked");
        assert!(error.to_string().contains("(code: 5)"), "{error}");
        Ok(())
    }
}
