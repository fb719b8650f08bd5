//! Open one in-memory database per pool, or one per connection.

// ANCHOR: seen
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

/// Creates a table on one connection. Can another connection see it?
async fn seen_by_another(pool: SqlitePool) -> sqlx::Result<bool> {
    let mut one = pool.acquire().await?;
    let mut other = pool.acquire().await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        .execute(&mut *one)
        .await?;
    let found = sqlx::query("SELECT id FROM orders")
        .fetch_all(&mut *other)
        .await;
    Ok(found.is_ok())
}

async fn of_an_address() -> sqlx::Result<SqlitePool> {
    two().connect("sqlite::memory:").await
}

async fn of_options() -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new().in_memory(true);
    two().connect_with(options).await
}

fn two() -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(2)
}
// ANCHOR_END: seen

// ANCHOR: gone
/// The pool closes its only connection because it's idle. Is the table
/// still there?
async fn survives_idle_timeout() -> sqlx::Result<bool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(Duration::from_millis(1))
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        .execute(&pool)
        .await?;
    while pool.size() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let found = sqlx::query("SELECT id FROM orders").execute(&pool);
    Ok(found.await.is_ok())
}
// ANCHOR_END: gone

use std::time::Duration;

use tokio::time::sleep;

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let seen = seen_by_another(of_an_address().await?).await?;
    println!("address: seen by another connection: {seen}");
    let seen = seen_by_another(of_options().await?).await?;
    println!("options: seen by another connection: {seen}");
    println!(
        "still there after an idle timeout: {}",
        survives_idle_timeout().await?
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_one_database() -> sqlx::Result<()> {
        assert!(seen_by_another(of_an_address().await?).await?);
        Ok(())
    }

    #[tokio::test]
    async fn options_are_one_for_each_connection() -> sqlx::Result<()> {
        assert!(!seen_by_another(of_options().await?).await?);
        Ok(())
    }

    #[tokio::test]
    async fn it_is_gone_with_its_last_connection() -> sqlx::Result<()> {
        assert!(!survives_idle_timeout().await?);
        Ok(())
    }
}
