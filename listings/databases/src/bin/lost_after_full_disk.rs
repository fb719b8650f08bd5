//! Wrong: after a full disk, the pool uses the same connection again.

// ANCHOR: wrong
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

/// Wrong: sqlx still counts a transaction that SQLite has rolled back.
/// The next `begin` on this connection only creates a savepoint.
async fn open(
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
}
// ANCHOR_END: wrong

/// Places an order, and stores its receipt.
async fn place(pool: &SqlitePool, books: u32) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(books)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO receipts VALUES (zeroblob($1))")
        .bind(i64::from(books) * 1000)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    sqlite::SqliteJournalMode,
};
use tempfile::TempDir;

/// Creates a database. Its pool has a single connection.
async fn create(folder: &TempDir) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = open(options).await?;
    for table in [
        "CREATE TABLE orders (books INTEGER CHECK (books > 0))",
        "CREATE TABLE receipts (text BLOB)",
    ] {
        sqlx::query(table).execute(&pool).await?;
    }
    Ok(pool)
}

/// Counts the orders and places one, as another process would.
async fn elsewhere(folder: &TempDir) -> sqlx::Result<[String; 2]> {
    let mut other = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .busy_timeout(Duration::from_millis(10))
        .connect()
        .await?;
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders")
        .fetch_one(&mut other)
        .await?;
    let insert = sqlx::query("INSERT INTO orders VALUES (1)");
    let placed = insert.execute(&mut other).await.map(drop);
    other.close().await?;
    Ok([orders.to_string(), outcome(placed)])
}

fn outcome(placed: sqlx::Result<()>) -> String {
    match placed {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Sets the size of the disk.
async fn disk(pool: &SqlitePool, pages: u32) -> sqlx::Result<()> {
    let limit = format!("PRAGMA max_page_count = {pages}");
    sqlx::query(AssertSqlSafe(limit)).execute(pool).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = create(&folder).await?;
    disk(&pool, 10).await?;
    println!("900 books: {}", outcome(place(&pool, 900).await));
    disk(&pool, 10_000).await?; // There's space again.
    let begin = pool.begin_with("BEGIN IMMEDIATE").await.map(drop);
    println!("BEGIN IMMEDIATE: {}", outcome(begin));
    println!("no books: {}", outcome(place(&pool, 0).await));
    println!("2 books: {}", outcome(place(&pool, 2).await));
    let [orders, another] = elsewhere(&folder).await?;
    println!("orders in the file: {orders}");
    println!("another process: {another}");
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_a_full_disk_loses_no_later_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        disk(&pool, 10).await?;
        let full = outcome(place(&pool, 900).await);
        assert!(full.contains("disk is full"), "{full}");
        disk(&pool, 10_000).await?;
        assert!(pool.begin_with("BEGIN IMMEDIATE").await.is_err());
        assert!(place(&pool, 0).await.is_err());
        for _ in 0..3 {
            // The harm: `place` returns `Ok`, but the order is lost.
            place(&pool, 2).await?;
            let [orders, another] = elsewhere(&folder).await?;
            assert_eq!(orders, "0");
            assert!(another.contains("locked"), "{another}");
        }
        pool.close().await;
        let [orders, _] = elsewhere(&folder).await?;
        assert_eq!(orders, "0");
        Ok(())
    }
}
