//! Use one connection per task and pass it along.

// ANCHOR: place
use sqlx::{SqliteConnection, SqlitePool};

/// Places an order if the customer is known.
async fn place(pool: &SqlitePool, customer: i64) -> sqlx::Result<()> {
    // Reads before it writes, so it acquires the write lock now.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    check(&mut transaction, customer).await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(customer)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Borrows a connection from a transaction or from the pool.
async fn check(
    connection: &mut SqliteConnection,
    customer: i64,
) -> sqlx::Result<()> {
    sqlx::query("SELECT id FROM customers WHERE id = $1")
        .bind(customer)
        .fetch_one(connection)
        .await?;
    Ok(())
}
// ANCHOR_END: place

use std::time::Duration;

use sqlx::{Connection, sqlite::SqlitePoolOptions};
use tempfile::TempDir;

/// Opens a pool with this number of connections.
async fn open(
    folder: &TempDir,
    connections: u32,
) -> sqlx::Result<SqlitePool> {
    let file = folder.path().join("shop.db");
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // Discards a connection whose transaction SQLite rolled back.
        .before_acquire(|connection, _| {
            Box::pin(async { Ok(!connection.is_in_transaction()) })
        })
        .connect(&format!("sqlite://{}?mode=rwc", file.display()))
        .await?;
    for statement in [
        "CREATE TABLE customers (id INTEGER PRIMARY KEY)",
        "CREATE TABLE orders (customer INTEGER NOT NULL)",
        "INSERT INTO customers VALUES (7)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = open(&folder, 1).await?;
    match place(&pool, 7).await {
        Ok(()) => println!("placed"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_the_pool_is_waited_for() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder, 1).await?;
        let placed = (0..20).map(|_| place(&pool, 7));
        for placed in futures::future::join_all(placed).await {
            placed?;
        }
        Ok(())
    }

    /// Writers that read first must not fail if the pool has more
    /// than one connection.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_place_on_several_connections() -> sqlx::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder, 4).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let pool = pool.clone();
            tasks.spawn(async move { place(&pool, 7).await });
        }
        for placed in tasks.join_all().await {
            placed?;
        }
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders");
        let count: i64 = count.fetch_one(&pool).await?;
        assert_eq!(count, 100);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_places_all_of_it_or_nothing() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder, 1).await?;
        hazards::at_every_poll(async |cancel| {
            cancel.run(place(&pool, 7)).await;
            // The only connection came back outside a transaction.
            place(&pool, 7).await.expect("a clean connection");
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_full_disk_stops_no_later_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder, 1).await?;
        let mut full = pool.begin().await?;
        let limit = sqlx::query("PRAGMA max_page_count = 1");
        limit.execute(&mut *full).await?;
        let large = "INSERT INTO orders VALUES (zeroblob(100000))";
        let large = sqlx::query(large).execute(&mut *full).await;
        assert!(large.is_err_and(|it| it.to_string().contains("full")));
        drop(full);
        place(&pool, 7).await
    }

    #[tokio::test]
    async fn failure_of_the_check_places_nothing() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder, 1).await?;
        place(&pool, 7).await?;
        let unknown = place(&pool, 8).await;
        assert!(matches!(unknown, Err(sqlx::Error::RowNotFound)));
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders");
        let count: i64 = count.fetch_one(&pool).await?;
        assert_eq!(count, 1);
        Ok(())
    }
}
