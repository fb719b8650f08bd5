//! One task uses one connection, and hands it on.

// ANCHOR: place
use sqlx::{SqliteConnection, SqlitePool};

/// Places an order, if the customer is known.
async fn place(pool: &SqlitePool, customer: i64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    check(&mut transaction, customer).await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(customer)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Takes a connection: a transaction is one, and so is one of a pool.
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

use sqlx::sqlite::SqlitePoolOptions;

/// A pool with one connection, as it is under load.
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
    async fn a_known_customer_may_order() -> sqlx::Result<()> {
        let pool = open().await?;
        place(&pool, 7).await?;
        let unknown = place(&pool, 8).await;
        assert!(matches!(unknown, Err(sqlx::Error::RowNotFound)));
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders");
        let count: i64 = count.fetch_one(&pool).await?;
        assert_eq!(count, 1);
        Ok(())
    }
}
