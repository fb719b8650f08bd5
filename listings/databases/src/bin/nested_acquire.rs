//! Wrong: one task needs two connections, but the pool has one left.

// ANCHOR: wrong
use sqlx::SqlitePool;

/// Places an order if the customer is known.
async fn place(pool: &SqlitePool, customer: i64) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    // Wrong: waits for a second connection while it holds the first.
    check(pool, customer).await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(customer)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn check(pool: &SqlitePool, customer: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT id FROM customers WHERE id = $1")
        .bind(customer)
        .fetch_one(pool)
        .await?;
    Ok(())
}
// ANCHOR_END: wrong

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;

/// Opens a pool with one connection left, as under load.
async fn open() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .connect("sqlite::memory:")
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
    let pool = open().await?;
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
        // The task waits for the connection that it holds itself.
        let placed = place(&open().await?, 7).await;
        assert!(matches!(placed, Err(sqlx::Error::PoolTimedOut)));
        Ok(())
    }
}
