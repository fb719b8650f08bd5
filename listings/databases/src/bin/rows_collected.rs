//! Collect a page of rows, then run a statement for each row.

// ANCHOR: ship_all
use sqlx::SqlitePool;

/// Marks every order as shipped, a page at a time, and returns how many
/// it shipped. After an error or a cancellation you can call it again,
/// and it continues with the remaining orders. Two concurrent calls may
/// both ship the same order.
async fn ship_all(pool: &SqlitePool) -> sqlx::Result<u32> {
    let mut shipped = 0;
    loop {
        // The connection is back before the first order is shipped.
        let page: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM orders WHERE shipped = 0
             ORDER BY id LIMIT 100",
        )
        .fetch_all(pool)
        .await?;
        if page.is_empty() {
            return Ok(shipped);
        }
        for order in page {
            ship(pool, order).await?;
            shipped += 1;
        }
    }
}
// ANCHOR_END: ship_all

async fn ship(pool: &SqlitePool, order: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE orders SET shipped = 1 WHERE id = $1")
        .bind(order)
        .execute(pool)
        .await?;
    Ok(())
}

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use tempfile::TempDir;

/// Opens a pool with one connection left, as under load, and three
/// orders.
async fn open(folder: &TempDir) -> sqlx::Result<SqlitePool> {
    let file = folder.path().join("shop.db");
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .connect(&format!("sqlite://{}?mode=rwc", file.display()))
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
    let folder = tempfile::tempdir()?;
    let pool = open(&folder).await?;
    match ship_all(&pool).await {
        Ok(shipped) => println!("shipped: {shipped}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn left(pool: &SqlitePool) -> i64 {
        let left = "SELECT COUNT(*) FROM orders WHERE shipped = 0";
        let left = sqlx::query_scalar(left).fetch_one(pool).await;
        left.expect("a database")
    }

    #[tokio::test]
    async fn again_after_a_cancel_it_continues() -> sqlx::Result<()> {
        hazards::at_every_poll(async |cancel| {
            let folder = tempfile::tempdir().expect("a folder");
            let pool = open(&folder).await.expect("a database");
            cancel.run(ship_all(&pool)).await;
            ship_all(&pool).await.expect("the rest");
            assert_eq!(left(&pool).await, 0);
            assert_eq!(ship_all(&pool).await.expect("none"), 0);
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn cancel_gives_the_connection_back() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        hazards::at_every_poll(async |cancel| {
            cancel.run(ship_all(&pool)).await;
            left(&pool).await;
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn edges_none_and_more_than_a_page() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        sqlx::query("DELETE FROM orders").execute(&pool).await?;
        assert_eq!(ship_all(&pool).await?, 0);
        for order in 1..=250 {
            sqlx::query("INSERT INTO orders VALUES ($1, 0)")
                .bind(order)
                .execute(&pool)
                .await?;
        }
        assert_eq!(ship_all(&pool).await?, 250);
        assert_eq!(left(&pool).await, 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_one_is_returned_and_the_rest_is_left()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        sqlx::query(
            "CREATE TRIGGER broken BEFORE UPDATE ON orders
             WHEN NEW.id = 2 BEGIN SELECT RAISE(ABORT, 'jam'); END",
        )
        .execute(&pool)
        .await?;
        assert!(ship_all(&pool).await.is_err());
        assert_eq!(left(&pool).await, 2);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_the_pool_is_no_deadlock() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        assert_eq!(ship_all(&pool).await?, 3);
        let sum = sqlx::query_scalar("SELECT SUM(shipped) FROM orders");
        let sum: i64 = sum.fetch_one(&pool).await?;
        assert_eq!(sum, 3);
        Ok(())
    }
}
