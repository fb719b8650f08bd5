//! Read a page at a time, and the write-ahead log stays small.

// ANCHOR: export
use sqlx::SqlitePool;

/// Sends all sales, a page at a time, and returns how many it sent. No
/// transaction is open while `send` waits. It may send sales that are
/// added meanwhile. If it's canceled or fails, a part was sent.
async fn export(
    pool: &SqlitePool,
    mut send: impl AsyncFnMut(&[i64]) -> std::io::Result<()>,
) -> sqlx::Result<usize> {
    let (mut sent, mut last) = (0, i64::MIN);
    loop {
        let page: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM sales WHERE id > $1
             ORDER BY id LIMIT 1000",
        )
        .bind(last)
        .fetch_all(pool)
        .await?;
        let Some(end) = page.last() else {
            return Ok(sent);
        };
        last = *end;
        send(&page).await?;
        sent += page.len();
    }
}
// ANCHOR_END: export

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
        assert!(pages > 0 && copied == pages, "{pages}, {copied}");
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn edges_none_one_page_and_one_more() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path(), 0).await?;
        let mut pages = Vec::new();
        for (add, expected) in [(0, 0), (1, 1), (999, 1000), (1, 1001)]
        {
            sell(&pool, add).await?;
            pages.clear();
            let sent = export(&pool, async |page| {
                pages.push(page.len());
                Ok(())
            });
            assert_eq!(sent.await?, expected);
        }
        assert_eq!(pages, [1000, 1]);
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_receiver_is_returned() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path(), 3000).await?;
        for broken in 1..=3 {
            let mut calls = 0;
            let sent = export(&pool, async |_| {
                calls += 1;
                match calls == broken {
                    true => Err(std::io::Error::other("broken")),
                    false => Ok(()),
                }
            });
            assert!(matches!(sent.await, Err(sqlx::Error::Io(_))));
            assert_eq!(calls, broken);
        }
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn cancel_leaves_no_transaction_open() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path(), 3000).await?;
        hazards::at_every_poll(async |cancel| {
            let yielding = async |_: &[i64]| {
                tokio::task::yield_now().await;
                Ok(())
            };
            cancel.run(export(&pool, yielding)).await;
            sell(&pool, 1).await.expect("a sale");
            // A statement that was canceled can still be running.
            let copied = async {
                loop {
                    let (pages, copied) =
                        checkpoint(&pool).await.expect("a checkpoint");
                    if pages == copied {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let limit = std::time::Duration::from_secs(10);
            hazards::within(limit, copied).await;
        })
        .await;
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_the_receiver_returns_the_connection()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path(), 3000).await?;
        for _ in 0..4 {
            let pool = pool.clone();
            let broken = tokio::spawn(async move {
                export(&pool, async |_| panic!("broken")).await
            });
            assert!(broken.await.is_err_and(|it| it.is_panic()));
        }
        let sent = export(&pool, async |_| Ok(())).await?;
        assert_eq!(sent, 3000);
        pool.close().await;
        Ok(())
    }
}
