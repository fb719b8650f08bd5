//! Await the pool's `close` before you reopen its file.

// ANCHOR: close
use std::{path::Path, time::Duration};

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::time::timeout;

#[derive(Debug, thiserror::Error)]
enum MigrateError {
    #[error("the database is still in use: {0} connections are open")]
    InUse(u32),
    #[error("the database can't be migrated")]
    Database(#[from] sqlx::Error),
}

/// Closes the pool, and adds a column while none of its connections is
/// open. If a task keeps its connection for longer than the limit, it
/// returns an error, and nothing was migrated. The pool is closed in
/// any case. If the migration fails, the file is closed as well.
async fn migrate(
    pool: &SqlitePool,
    file: &Path,
    limit: Duration,
) -> Result<SqlitePool, MigrateError> {
    // Waits until the last connection has closed the file. Calls that
    // wait for a connection fail with `PoolClosed`.
    if timeout(limit, pool.close()).await.is_err() {
        return Err(MigrateError::InUse(pool.size()));
    }
    let migrated = open(file).await?;
    let added = sqlx::query("ALTER TABLE sales ADD COLUMN note TEXT")
        .execute(&migrated)
        .await;
    if let Err(error) = added {
        migrated.close().await;
        return Err(error.into());
    }
    Ok(migrated)
}
// ANCHOR_END: close

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

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), MigrateError> {
    let folder = tempfile::tempdir().map_err(sqlx::Error::from)?;
    let file = folder.path().join("sales.db");
    let pool = importing(&file).await?;
    let migrated = migrate(&pool, &file, LIMIT).await?;
    println!("migrated, {} connections of the old pool", pool.size());
    migrated.close().await;
    let files = std::fs::read_dir(folder.path());
    let files = files.map_err(sqlx::Error::from)?.count();
    println!("files after `close`: {files}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a table, and its pool.
    async fn idle() -> sqlx::Result<(tempfile::TempDir, SqlitePool)> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder.path().join("sales.db")).await?;
        sqlx::query("CREATE TABLE sales (id INTEGER PRIMARY KEY)")
            .execute(&pool)
            .await?;
        Ok((folder, pool))
    }

    #[tokio::test]
    async fn slow_statement_is_waited_for() -> Result<(), MigrateError>
    {
        let folder = tempfile::tempdir().map_err(sqlx::Error::from)?;
        let file = folder.path().join("sales.db");
        let pool = importing(&file).await?;
        let migrated = migrate(&pool, &file, LIMIT).await?;
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM sales");
        let count: i64 = count.fetch_one(&migrated).await?;
        assert_eq!((count, pool.size()), (1_000_000, 0));
        migrated.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_task_with_a_connection_is_an_error()
    -> Result<(), MigrateError> {
        let (folder, pool) = idle().await?;
        let file = folder.path().join("sales.db");
        let silent = pool.acquire().await?;
        let limit = Duration::from_millis(200);
        let busy = migrate(&pool, &file, limit).await;
        assert!(matches!(busy, Err(MigrateError::InUse(1..))));
        drop(silent);
        migrate(&pool, &file, LIMIT).await?.close().await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_that_use_the_pool_get_an_error()
    -> Result<(), MigrateError> {
        let (folder, pool) = idle().await?;
        let file = folder.path().join("sales.db");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let pool = pool.clone();
            tasks.spawn(async move {
                loop {
                    let insert = "INSERT INTO sales DEFAULT VALUES";
                    let insert = sqlx::query(insert).execute(&pool);
                    match insert.await {
                        Ok(_) => tokio::task::yield_now().await,
                        Err(sqlx::Error::PoolClosed) => return true,
                        Err(error)
                            if error.to_string().contains("lock") => {}
                        Err(_) => return false,
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let migrated = migrate(&pool, &file, LIMIT).await?;
        assert!(tasks.join_all().await.into_iter().all(|it| it));
        migrated.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn cancel_before_the_migration_leaves_it_undone()
    -> sqlx::Result<()> {
        hazards::at_every_poll(async |cancel| {
            let (folder, pool) = idle().await.expect("a database");
            let file = folder.path().join("sales.db");
            let first = cancel.run(migrate(&pool, &file, LIMIT)).await;
            if let Some(migrated) = first {
                migrated.expect("migrated").close().await;
            } else {
                pool.close().await;
            }
            // The file is either as it was, or migrated.
            let again = open(&file).await.expect("a database");
            let columns =
                "SELECT COUNT(*) FROM pragma_table_info('sales')";
            let columns: i64 = sqlx::query_scalar(columns)
                .fetch_one(&again)
                .await
                .expect("columns");
            assert!(columns == 1 || columns == 2, "{columns}");
            again.close().await;
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn again_after_it_was_migrated_is_an_error()
    -> Result<(), MigrateError> {
        let (folder, pool) = idle().await?;
        let file = folder.path().join("sales.db");
        let migrated = migrate(&pool, &file, LIMIT).await?;
        let again = migrate(&migrated, &file, LIMIT).await;
        assert!(matches!(again, Err(MigrateError::Database(_))));
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_migration_leaves_the_file_closed()
    -> sqlx::Result<()> {
        let (folder, pool) = idle().await?;
        let file = folder.path().join("sales.db");
        sqlx::query("DROP TABLE sales").execute(&pool).await?;
        let failed = migrate(&pool, &file, LIMIT).await;
        assert!(matches!(failed, Err(MigrateError::Database(_))));
        // An open file has a log beside it.
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
