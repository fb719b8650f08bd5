//! Wrong: a failed statement is ignored, and the commit does nothing.

// ANCHOR: wrong
use sqlx::AnyPool;

/// Places an order and applies a coupon, if it wasn't used before.
async fn place(pool: &AnyPool, coupon: &str) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (id) VALUES (7)")
        .execute(&mut *transaction)
        .await?;
    let used = sqlx::query("INSERT INTO used (coupon) VALUES ($1)")
        .bind(coupon)
        .execute(&mut *transaction)
        .await;
    if used.is_err() {
        // Wrong: on PostgreSQL, the transaction can't be committed now.
        println!("no discount");
    }
    transaction.commit().await
}
// ANCHOR_END: wrong

use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};

const TABLES: [&str; 3] = [
    "CREATE TABLE orders (id BIGINT NOT NULL)",
    "CREATE TABLE used (coupon TEXT PRIMARY KEY)",
    "INSERT INTO used VALUES ('SPRING')",
];

async fn orders(pool: &AnyPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM orders")
        .fetch_one(pool)
        .await
}

async fn show(pool: &AnyPool) -> sqlx::Result<()> {
    println!("placed: {:?}", place(pool, "SPRING").await);
    println!("orders: {}", orders(pool).await?);
    Ok(())
}

/// Opens a pool and creates the tables.
async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect(address)
        .await?;
    for table in TABLES {
        sqlx::query(table).execute(&pool).await?;
    }
    Ok(pool)
}

/// Creates a schema, and returns an address that leads there.
async fn schema(address: &str, name: &str) -> sqlx::Result<String> {
    install_default_drivers();
    let server = AnyPool::connect(address).await?;
    let sql = format!(
        "DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&server).await?;
    server.close().await;
    let and = if address.contains('?') { '&' } else { '?' };
    Ok(format!("{address}{and}options=-c%20search_path%3D{name}"))
}

async fn drop_schema(pool: &AnyPool, name: &str) -> sqlx::Result<()> {
    let sql = format!("DROP SCHEMA {name} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
    pool.close().await;
    Ok(())
}

fn file(folder: &tempfile::TempDir) -> String {
    let file = folder.path().join("shop.db");
    format!("sqlite://{}?mode=rwc", file.display())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    if let Ok(server) = std::env::var("DATABASE_URL") {
        let name = format!("swallowed_error_{}", std::process::id());
        let pool = open(&schema(&server, &name).await?).await?;
        show(&pool).await?;
        return drop_schema(&pool, &name).await;
    }
    let folder = tempfile::tempdir()?;
    let pool = open(&file(&folder)).await?;
    show(&pool).await?;
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The test body of the pattern, for the mistake.
    async fn placed(pool: &AnyPool) -> sqlx::Result<i64> {
        place(pool, "SPRING").await?;
        orders(pool).await
    }

    #[tokio::test]
    async fn failure_of_the_coupon_places_the_order() -> sqlx::Result<()>
    {
        // On SQLite, the transaction can still be committed.
        let folder = tempfile::tempdir()?;
        let pool = open(&file(&folder)).await?;
        assert_eq!(placed(&pool).await?, 1);
        pool.close().await;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        // On PostgreSQL, `commit` returns `Ok`, and there is no order.
        let name = format!("swallowed_test_{}", std::process::id());
        let pool = open(&schema(&server, &name).await?).await?;
        assert_eq!(placed(&pool).await?, 0);
        drop_schema(&pool, &name).await
    }
}
