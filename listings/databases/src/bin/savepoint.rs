//! Run a statement that may fail inside a savepoint.

// ANCHOR: savepoint
use sqlx::{Acquire, AnyPool};

/// Places an order and applies a coupon, if it wasn't used before. If
/// it fails or is canceled before the commit, there is no order.
async fn place(pool: &AnyPool, coupon: &str) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (id) VALUES (7)")
        .execute(&mut *transaction)
        .await?;
    // A transaction in a transaction is a savepoint.
    let mut savepoint = transaction.begin().await?;
    let used = sqlx::query("INSERT INTO used (coupon) VALUES ($1)")
        .bind(coupon)
        .execute(&mut *savepoint)
        .await;
    match used {
        Ok(_) => savepoint.commit().await?,
        Err(sqlx::Error::Database(error))
            if error.is_unique_violation() =>
        {
            savepoint.rollback().await?;
            println!("no discount");
        }
        Err(error) => return Err(error),
    }
    transaction.commit().await
}
// ANCHOR_END: savepoint

use std::time::Duration;

use sqlx::{
    Executor,
    any::{AnyPoolOptions, install_default_drivers},
};

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
        // On PostgreSQL, a dropped `begin` leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                let end =
                    tokio::time::timeout(Duration::from_secs(5), end)
                        .await;
                end.map_err(std::io::Error::from)??;
                // sqlx counts one that SQLite has rolled back.
                Ok(!sqlx::Connection::is_in_transaction(connection))
            })
        })
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
    Ok(format!(
        "{address}{and}options=-c%20search_path%3D{name}\
         %20-c%20lock_timeout%3D5s%20-c%20statement_timeout%3D10s"
    ))
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
        let name = format!("savepoint_{}", std::process::id());
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

    /// Runs the test on SQLite, and on PostgreSQL if `DATABASE_URL`
    /// names a server, as in `.ci/run`.
    async fn on_both(
        name: &str,
        test: impl AsyncFn(&AnyPool) -> sqlx::Result<()>,
    ) -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&file(&folder)).await?;
        test(&pool).await?;
        pool.close().await;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        let name = format!("savepoint_{name}_{}", std::process::id());
        let pool = open(&schema(&server, &name).await?).await?;
        test(&pool).await?;
        drop_schema(&pool, &name).await
    }

    #[tokio::test]
    async fn failure_of_the_coupon_places_the_order() -> sqlx::Result<()>
    {
        on_both("failure", async |pool| {
            place(pool, "SPRING").await?;
            assert_eq!(orders(pool).await?, 1);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_another_kind_places_nothing() -> sqlx::Result<()>
    {
        on_both("other", async |pool| {
            sqlx::query("DROP TABLE used").execute(pool).await?;
            assert!(place(pool, "SPRING").await.is_err());
            assert_eq!(orders(pool).await?, 0);
            Ok(())
        })
        .await
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &AnyPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
        let check = async {
            {
                let mut one = pool.acquire().await.expect("it");
                if one.backend_name() == "PostgreSQL" {
                    let slowly = "BEGIN; SELECT pg_sleep(0.05)";
                    let begin = one.begin_with(slowly);
                    assert!(begin.now_or_never().is_none());
                }
            }
            let mut all = Vec::new();
            for _ in 0..4 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE orders SET id = id";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_places_all_of_it_or_nothing() -> sqlx::Result<()> {
        on_both("cancel", async |pool| {
            place(pool, "FIRST").await?;
            let polls = std::cell::Cell::new(0);
            hazards::at_every_poll(async |cancel| {
                let coupon = format!("COUPON {}", polls.get());
                polls.set(polls.get() + 1);
                cancel.run(place(pool, &coupon)).await;
                all_are_clean(pool).await;
                // In one statement, because a commit that was dropped
                // can still take effect.
                let difference: i64 = sqlx::query_scalar(
                    "SELECT (SELECT COUNT(*) FROM used)
                     - (SELECT COUNT(*) FROM orders)",
                )
                .fetch_one(pool)
                .await
                .expect("coupons");
                // The order and its coupon: both or neither.
                assert_eq!(difference, 1);
            })
            .await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn overload_of_one_coupon_is_used_once() -> sqlx::Result<()> {
        on_both("overload", async |pool| {
            let placed = (0..9).map(|_| place(pool, "SUMMER"));
            futures::future::try_join_all(placed).await?;
            assert_eq!(orders(pool).await?, 9);
            let used = "SELECT COUNT(*) FROM used";
            let used: i64 =
                sqlx::query_scalar(used).fetch_one(pool).await?;
            assert_eq!(used, 2);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn edges_an_empty_coupon() -> sqlx::Result<()> {
        on_both("edges", async |pool| {
            place(pool, "").await?;
            place(pool, "").await?;
            assert_eq!(orders(pool).await?, 2);
            Ok(())
        })
        .await
    }
}
