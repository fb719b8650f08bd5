//! Discard a connection whose transaction SQLite has rolled back.

// ANCHOR: pool
use sqlx::{
    Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

/// Opens a pool whose transactions work again after a full disk.
async fn open(
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(1)
        // If the disk is full, SQLite rolls back the transaction, but
        // sqlx 0.9.0 still counts it. An idle connection shouldn't have
        // a transaction, so discard a connection that counts one.
        .before_acquire(|connection, _| {
            Box::pin(async { Ok(!connection.is_in_transaction()) })
        })
        .connect_with(options)
        .await
}
// ANCHOR_END: pool

// ANCHOR: place
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
// ANCHOR_END: place

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, sqlite::SqliteJournalMode};
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

    /// Counts the orders that another connection sees.
    async fn orders(folder: &TempDir) -> sqlx::Result<i64> {
        let mut other = SqliteConnectOptions::new()
            .filename(folder.path().join("shop.db"))
            .connect()
            .await?;
        let orders = sqlx::query_scalar("SELECT count(*) FROM orders")
            .fetch_one(&mut other)
            .await?;
        other.close().await?;
        Ok(orders)
    }

    #[tokio::test]
    async fn failure_of_a_full_disk_loses_no_later_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        for round in 0..3 {
            disk(&pool, 10).await?;
            let full = outcome(place(&pool, 900).await);
            assert!(full.contains("disk is full"), "{full}");
            disk(&pool, 10_000).await?;
            pool.begin_with("BEGIN IMMEDIATE").await?.commit().await?;
            assert!(place(&pool, 0).await.is_err());
            place(&pool, 2).await?;
            let [orders, another] = elsewhere(&folder).await?;
            assert_eq!(orders, (2 * round + 1).to_string());
            assert_eq!(another, "ok");
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_every_statement_leaves_the_pool_usable()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        let mut placed = 0;
        for pages in 1..60 {
            disk(&pool, pages).await?;
            placed += i64::from(place(&pool, 50).await.is_ok());
            disk(&pool, 10_000).await?;
            assert!(place(&pool, 0).await.is_err());
            assert_eq!(orders(&folder).await?, placed);
        }
        place(&pool, 1).await?;
        assert_eq!(orders(&folder).await?, placed + 1);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_places_all_of_it_or_nothing() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        hazards::at_every_poll(async |cancel| {
            let before = orders(&folder).await.expect("a database");
            let placed = cancel.run(place(&pool, 1)).await;
            place(&pool, 1).await.expect("a clean connection");
            let after = orders(&folder).await.expect("a database");
            assert!((1..=2).contains(&(after - before)));
            assert!(placed.is_none() || after - before == 2);
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn overload_waits_for_the_connection() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        let placed = (0..20).map(|books| place(&pool, books));
        let placed = futures::future::join_all(placed).await;
        assert_eq!(placed.iter().filter(|it| it.is_ok()).count(), 19);
        assert_eq!(orders(&folder).await?, 19);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_book_and_too_many() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        for (books, placed) in [(0, 0), (u32::MAX, 0), (1, 1)] {
            let outcome = place(&pool, books).await;
            assert_eq!(outcome.is_ok(), placed == 1);
            assert_eq!(orders(&folder).await?, placed);
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_place_every_order() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for books in 1..=20 {
            let pool = pool.clone();
            tasks.spawn(async move { place(&pool, books).await });
        }
        for placed in tasks.join_all().await {
            placed?;
        }
        assert_eq!(orders(&folder).await?, 20);
        Ok(())
    }

    /// The check can't help here: the connection doesn't return to the
    /// pool between the transactions.
    #[tokio::test]
    async fn failure_on_a_kept_connection_loses_a_later_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        disk(&pool, 10).await?;
        let mut kept = pool.acquire().await?;
        let mut full = kept.begin().await?;
        let large = "INSERT INTO receipts VALUES (zeroblob(900000))";
        assert!(sqlx::query(large).execute(&mut *full).await.is_err());
        drop(full);
        sqlx::query("PRAGMA max_page_count = 10000")
            .execute(&mut *kept)
            .await?;
        for books in [0, 2] {
            let mut next = kept.begin().await?;
            let order = sqlx::query("INSERT INTO orders VALUES ($1)");
            let placed = order.bind(books).execute(&mut *next).await;
            assert_eq!(placed.is_ok(), books == 2);
            if placed.is_ok() {
                next.commit().await?;
            }
        }
        assert_eq!(orders(&folder).await?, 0);
        // The next caller gets another connection.
        drop(kept);
        place(&pool, 2).await?;
        assert_eq!(orders(&folder).await?, 1);
        Ok(())
    }

    /// Why `place` returns at the first error: the next order isn't in a
    /// transaction anymore, so there's nothing to roll back.
    #[tokio::test]
    async fn failure_ignored_commits_the_next_statement()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = create(&folder).await?;
        disk(&pool, 10).await?;
        let mut full = pool.begin().await?;
        let large = "INSERT INTO receipts VALUES (zeroblob(900000))";
        assert!(sqlx::query(large).execute(&mut *full).await.is_err());
        let order = sqlx::query("INSERT INTO orders VALUES (2)");
        order.execute(&mut *full).await?;
        drop(full);
        assert_eq!(orders(&folder).await?, 1);
        Ok(())
    }
}
