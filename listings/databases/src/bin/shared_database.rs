//! Wrong: two tests that share a database.

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

// ANCHOR: wrong
/// Wrong: it assumes that the database has no other orders.
async fn an_order_is_listed(pool: &SqlitePool) -> sqlx::Result<bool> {
    place(pool, 17).await?;
    Ok(listed(pool).await? == [17])
}

/// Wrong: the same.
async fn two_orders_are_listed(
    pool: &SqlitePool,
) -> sqlx::Result<bool> {
    place(pool, 18).await?;
    place(pool, 19).await?;
    Ok(listed(pool).await? == [18, 19])
}

async fn run_both() -> sqlx::Result<(bool, bool)> {
    let pool = connect().await?;
    let one = an_order_is_listed(&pool).await?;
    let two = two_orders_are_listed(&pool).await?;
    Ok((one, two))
}
// ANCHOR_END: wrong

async fn connect() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await?;
    let create = "CREATE TABLE orders (id INTEGER PRIMARY KEY)";
    sqlx::query(create).execute(&pool).await?;
    Ok(pool)
}

async fn place(pool: &SqlitePool, order: u32) -> sqlx::Result<()> {
    let insert = "INSERT INTO orders (id) VALUES (?)";
    sqlx::query(insert).bind(order).execute(pool).await?;
    Ok(())
}

async fn listed(pool: &SqlitePool) -> sqlx::Result<Vec<u32>> {
    let select = "SELECT id FROM orders ORDER BY id";
    sqlx::query_scalar(select).fetch_all(pool).await
}

fn verdict(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let (one, two) = run_both().await?;
    println!("test an_order_is_listed ... {}", verdict(one));
    println!("test two_orders_are_listed ... {}", verdict(two));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_in_any_order_and_what_each_test_finds()
    -> sqlx::Result<()> {
        assert_eq!(run_both().await?, (true, false));
        Ok(())
    }
}
