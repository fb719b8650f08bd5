//! Wrong: a stream of rows holds the connection that the loop needs.

// ANCHOR: wrong
use futures::TryStreamExt;
use sqlx::SqlitePool;

/// Marks every order as shipped. Returns how many it shipped.
async fn ship_all(pool: &SqlitePool) -> sqlx::Result<u32> {
    let mut shipped = 0;
    let mut orders =
        sqlx::query_scalar::<_, i64>("SELECT id FROM orders")
            .fetch(pool);
    while let Some(order) = orders.try_next().await? {
        // Wrong: the stream holds a connection for the remaining rows.
        ship(pool, order).await?;
        shipped += 1;
    }
    Ok(shipped)
}
// ANCHOR_END: wrong

async fn ship(pool: &SqlitePool, order: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE orders SET shipped = 1 WHERE id = $1")
        .bind(order)
        .execute(pool)
        .await?;
    Ok(())
}

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;

/// Opens a pool with one connection left, as under load, and three
/// orders.
async fn open() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .connect("sqlite::memory:")
        .await?;
    for statement in [
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, shipped INTEGER)",
        "INSERT INTO orders VALUES (1, 0), (2, 0), (3, 0)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let pool = open().await?;
    match ship_all(&pool).await {
        Ok(shipped) => println!("shipped: {shipped}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_the_pool_is_no_deadlock() -> sqlx::Result<()> {
        // It is a deadlock.
        let shipped = ship_all(&open().await?).await;
        assert!(matches!(shipped, Err(sqlx::Error::PoolTimedOut)));
        Ok(())
    }
}
