//! Collect a page of rows, then run a statement for each row.

// ANCHOR: ship_all
use sqlx::SqlitePool;

/// Ships every order, a page at a time, and returns how many it shipped.
/// After an error or a cancellation, call it again for the remaining
/// orders. An order that always fails holds up the ones after it.
async fn ship_all(pool: &SqlitePool) -> sqlx::Result<u64> {
    let (mut shipped, mut last) = (0, i64::MIN);
    loop {
        // The connection is back before the first order is shipped.
        let page: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM orders WHERE shipped = 0 AND id > $1
             ORDER BY id LIMIT 100",
        )
        .bind(last)
        .fetch_all(pool)
        .await?;
        let Some(end) = page.last() else {
            return Ok(shipped);
        };
        last = *end;
        for order in page {
            shipped += ship(pool, order).await?;
        }
    }
}

/// Returns 0 if the order was shipped in the meantime.
async fn ship(pool: &SqlitePool, order: i64) -> sqlx::Result<u64> {
    let update = "UPDATE orders SET shipped = 1
         WHERE id = $1 AND shipped = 0";
    let updated = sqlx::query(update).bind(order).execute(pool).await?;
    Ok(updated.rows_affected())
}
// ANCHOR_END: ship_all

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
        for _ in 0..2 {
            assert!(ship_all(&pool).await.is_err());
            assert_eq!(left(&pool).await, 2);
        }
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

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_two_calls_ship_each_order_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let pool = open(&folder).await.expect("a database");
        let ship = |pool: SqlitePool| {
            tokio::spawn(async move { ship_all(&pool).await })
        };
        let (one, other) = (ship(pool.clone()), ship(pool));
        let mut shipped = 0;
        for call in [one, other] {
            let call = call.await.expect("no panic");
            shipped += call.expect("a connection");
        }
        assert_eq!(shipped, 3);
    }

    #[tokio::test]
    async fn edges_an_update_without_effect_is_no_loop()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        sqlx::query(
            "CREATE TRIGGER on_hold BEFORE UPDATE ON orders
             WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END",
        )
        .execute(&pool)
        .await?;
        let shipped = hazards::within(PATIENCE, ship_all(&pool)).await;
        assert_eq!(shipped?, 2);
        assert_eq!(left(&pool).await, 1);
        Ok(())
    }

    const PATIENCE: Duration = Duration::from_secs(20);
}
