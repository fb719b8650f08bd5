//! Wrong: a transaction is open while its reader waits for the network.

// ANCHOR: wrong
use futures::TryStreamExt;
use sqlx::SqlitePool;

/// Sends all sales, and returns how many it sent.
async fn export(
    pool: &SqlitePool,
    mut send: impl AsyncFnMut(&[i64]) -> std::io::Result<()>,
) -> sqlx::Result<usize> {
    let mut sent = 0;
    // Wrong: its read transaction lasts until the last row was sent.
    let mut sales =
        sqlx::query_scalar("SELECT id FROM sales ORDER BY id")
            .fetch(pool)
            .try_chunks(1000);
    while let Some(page) = sales.try_next().await.map_err(|it| it.1)? {
        send(&page).await?;
        sent += page.len();
    }
    Ok(sent)
}
// ANCHOR_END: wrong

use std::path::Path;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
};

/// Opens a file with this number of sales.
async fn open(folder: &Path, sales: i64) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("sales.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await?;
    sqlx::query(
        "CREATE TABLE sales (id INTEGER PRIMARY KEY, note TEXT)",
    )
    .execute(&pool)
    .await?;
    sell(&pool, sales).await?;
    checkpoint(&pool).await?;
    Ok(pool)
}

/// Adds this number of sales, each with a note.
async fn sell(pool: &SqlitePool, sales: i64) -> sqlx::Result<()> {
    sqlx::query(
        "WITH RECURSIVE numbers (number) AS (
             SELECT 1 UNION ALL
             SELECT number + 1 FROM numbers WHERE number < $1
         )
         INSERT INTO sales (note)
         SELECT 'sold to a customer in the shop' FROM numbers
         WHERE number <= $1",
    )
    .bind(sales)
    .execute(pool)
    .await?;
    Ok(())
}

/// Copies the log into the database. Returns how many of its pages
/// there are, and how many of them could be copied.
async fn checkpoint(pool: &SqlitePool) -> sqlx::Result<(i64, i64)> {
    let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
    let (_busy, pages, copied): (i64, i64, i64) =
        checkpoint.fetch_one(pool).await?;
    Ok((pages, copied))
}

/// Exports 3000 sales. While it sends a page of them, 1000 more are
/// sold. Returns how many pages the log had then, and how many of them
/// could be copied into the database.
async fn run(pool: &SqlitePool) -> sqlx::Result<(i64, i64)> {
    let mut at_first = None;
    export(pool, async |_| {
        if at_first.is_none() {
            let sold = sell(pool, 1000).await;
            sold.map_err(std::io::Error::other)?;
            let copied = checkpoint(pool).await;
            at_first = Some(copied.map_err(std::io::Error::other)?);
        }
        Ok(())
    })
    .await?;
    Ok(at_first.unwrap_or_default())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path(), 3000).await?;
    let (pages, copied) = run(&pool).await?;
    println!("pages in the log: {pages}, copied: {copied}");
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_receiver_stops_no_checkpoint() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path(), 3000).await?;
        let (pages, copied) = run(&pool).await?;
        // It stopped the checkpoint.
        assert!(pages > 0 && copied == 0, "{pages}, {copied}");
        pool.close().await;
        Ok(())
    }
}
