//! Write only if the row still has the version that you read.

// ANCHOR: save
use sqlx::AnyPool;

/// A product, as an editor saw it.
struct Product {
    id: i64,
    cents: i64,
    version: i64,
}

async fn load(pool: &AnyPool, id: i64) -> sqlx::Result<Product> {
    let load = "SELECT cents, version FROM products WHERE id = $1";
    let load = sqlx::query_as(load).bind(id);
    let (cents, version) = load.fetch_one(pool).await?;
    Ok(Product { id, cents, version })
}

/// Saves the price, unless the product was changed since it was
/// loaded. Then it returns false, and the caller has to load it again.
/// If the call is canceled, it may or may not have been saved.
async fn save(pool: &AnyPool, product: &Product) -> sqlx::Result<bool> {
    let saved = sqlx::query(
        "UPDATE products SET cents = $1, version = version + 1
         WHERE id = $2 AND version = $3",
    )
    .bind(product.cents)
    .bind(product.id)
    .bind(product.version)
    .execute(pool)
    .await?;
    Ok(saved.rows_affected() == 1)
}
// ANCHOR_END: save

use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};

/// Opens a pool and creates a product.
async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect(address)
        .await?;
    for statement in [
        "CREATE TABLE products (id BIGINT PRIMARY KEY,
         cents BIGINT NOT NULL, version BIGINT NOT NULL)",
        "INSERT INTO products VALUES (7, 1000, 1)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
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

/// Two editors load the same product, and both save it.
async fn edit(pool: &AnyPool) -> sqlx::Result<[bool; 3]> {
    let mut one = load(pool, 7).await?;
    let mut other = load(pool, 7).await?;
    one.cents = 900;
    other.cents += 50;
    let saved = [save(pool, &one).await?, save(pool, &other).await?];
    other = load(pool, 7).await?;
    other.cents += 50;
    Ok([saved[0], saved[1], save(pool, &other).await?])
}

async fn show(pool: &AnyPool) -> sqlx::Result<()> {
    let [one, other, again] = edit(pool).await?;
    println!("one:         {one}");
    println!("other:       {other}");
    println!("other again: {again}");
    println!("cents:       {}", load(pool, 7).await?.cents);
    Ok(())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    if let Ok(server) = std::env::var("DATABASE_URL") {
        let name = format!("version_column_{}", std::process::id());
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
        let name = format!("version_{name}_{}", std::process::id());
        let pool = open(&schema(&server, &name).await?).await?;
        test(&pool).await?;
        drop_schema(&pool, &name).await
    }

    #[tokio::test]
    async fn again_with_an_old_version_is_refused() -> sqlx::Result<()>
    {
        on_both("again", async |pool| {
            assert_eq!(edit(pool).await?, [true, false, true]);
            assert_eq!(load(pool, 7).await?.cents, 950);
            let old = load(pool, 7).await?;
            assert!(save(pool, &old).await?);
            assert!(!save(pool, &old).await?);
            Ok(())
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_update() -> sqlx::Result<()> {
        on_both("threads", async |pool| {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..10 {
                let pool = pool.clone();
                tasks.spawn(async move {
                    loop {
                        let mut product = load(&pool, 7).await?;
                        product.cents += 1;
                        if save(&pool, &product).await? {
                            return Ok::<_, sqlx::Error>(());
                        }
                    }
                });
            }
            for saved in tasks.join_all().await {
                saved?;
            }
            assert_eq!(load(pool, 7).await?.cents, 1010);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn overload_of_editors_saves_one() -> sqlx::Result<()> {
        on_both("overload", async |pool| {
            let seen = load(pool, 7).await?;
            let saves = (0..9).map(|_| save(pool, &seen));
            let saves = futures::future::try_join_all(saves).await?;
            assert_eq!(saves.iter().filter(|saved| **saved).count(), 1);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn cancel_saves_once_at_most() -> sqlx::Result<()> {
        on_both("cancel", async |pool| {
            hazards::at_every_poll(async |cancel| {
                let mut seen = load(pool, 7).await.expect("a product");
                seen.cents += 1;
                cancel.run(save(pool, &seen)).await;
                let _again =
                    save(pool, &seen).await.expect("an answer");
                let now = load(pool, 7).await.expect("a product");
                // Either the first call saved it, or the second did.
                assert_eq!(now.version, seen.version + 1);
                assert_eq!(now.cents, seen.cents);
            })
            .await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn edges_an_unknown_product() -> sqlx::Result<()> {
        on_both("edges", async |pool| {
            let unknown = Product { id: 8, cents: 0, version: 1 };
            assert!(!save(pool, &unknown).await?);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_the_database_is_returned() -> sqlx::Result<()> {
        on_both("failure", async |pool| {
            let seen = load(pool, 7).await?;
            sqlx::query("DROP TABLE products").execute(pool).await?;
            assert!(save(pool, &seen).await.is_err());
            Ok(())
        })
        .await
    }
}
