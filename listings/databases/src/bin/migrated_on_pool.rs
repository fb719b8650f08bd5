//! Wrong: run the migrations on the pool that serves the requests.

use sqlx::{
    PgPool, SqlitePool,
    migrate::{MigrateError, Migrator},
};

// ANCHOR: wrong
/// Wrong: after an error, the advisory lock goes back to the pool with
/// the connection that holds it.
async fn migrate_postgresql(
    migrations: &Migrator,
    pool: &PgPool,
) -> Result<(), MigrateError> {
    migrations.run(pool).await
}

/// Wrong: on SQLite there is no lock, and two instances can find the
/// same migration missing.
async fn migrate_sqlite(
    migrations: &Migrator,
    pool: &SqlitePool,
) -> Result<(), MigrateError> {
    migrations.run(pool).await
}
// ANCHOR_END: wrong

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    migrate::Migration,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::time::{sleep, timeout};

const ORDERS: &str = "CREATE TABLE orders (id BIGINT PRIMARY KEY);";
const NOTE: &str = "ALTER TABLE orders ADD COLUMN note TEXT;";
const BROKEN: &str = "INSERT INTO missing VALUES (1);";

fn release(files: &[&'static str]) -> Migrator {
    use sqlx::migrate::MigrationType::Simple;
    let migrations = (1..).zip(files).map(|(version, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, "a file".into(), Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

async fn pool(server: &str, schema: &str) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = server.parse()?;
    let options = options.options([("search_path", schema)]);
    PgPoolOptions::new().max_connections(1).connect_with(options).await
}

/// A broken release, then a fixed one, while the first keeps its pool.
/// Returns the number of locks that the first one's connection holds,
/// and whether the second one starts.
async fn broken_then_fixed(
    server: &str,
    schema: &str,
) -> Result<(i64, bool), MigrateError> {
    let one = pool(server, schema).await?;
    let other = pool(server, schema).await?;
    let create = format!("CREATE SCHEMA {schema}");
    sqlx::query(AssertSqlSafe(create)).execute(&one).await?;
    let broken = release(&[ORDERS, BROKEN]);
    let error = migrate_postgresql(&broken, &one).await;
    assert!(matches!(error, Err(MigrateError::ExecuteMigration(_, 2))));

    let fixed = release(&[ORDERS, NOTE]);
    let fixed = migrate_postgresql(&fixed, &other);
    let starts = timeout(Duration::from_secs(1), fixed).await;
    let locks = sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_locks
         WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    );
    let locks = locks.fetch_one(&one).await?;
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&one).await?;
    one.close().await;
    other.close().await;
    Ok((locks, starts.is_ok()))
}

/// Two instances of a new release start at the same time. Returns the
/// error of the one that loses, if the two look before either applies.
async fn together() -> Result<Option<MigrateError>, MigrateError> {
    let folder = tempfile::tempdir().map_err(sqlx::Error::from)?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10));
    let options = || {
        let one = SqlitePoolOptions::new().max_connections(1);
        one.connect_with(options.clone())
    };
    let (one, other) = (options().await?, options().await?);
    migrate_sqlite(&release(&[ORDERS]), &one).await?;
    // A writer holds the two up between their look and their write.
    let writer = options().await?;
    let writing = writer.begin_with("BEGIN IMMEDIATE").await?;
    let current = release(&[ORDERS, NOTE]);
    let (first, second, ()) = tokio::join!(
        migrate_sqlite(&current, &one),
        migrate_sqlite(&current, &other),
        async {
            sleep(Duration::from_millis(500)).await;
            drop(writing);
            writer.close().await;
        }
    );
    one.close().await;
    other.close().await;
    Ok(first.and(second).err())
}

/// Tries until the two instances really start at the same time.
async fn collide() -> Result<Option<MigrateError>, MigrateError> {
    for _ in 0..10 {
        if let Some(error) = together().await? {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

#[tokio::main]
async fn main() -> Result<(), MigrateError> {
    if let Ok(server) = std::env::var("DATABASE_URL") {
        let schema = format!("migrated_on_pool_{}", std::process::id());
        let (locks, starts) =
            broken_then_fixed(&server, &schema).await?;
        println!("the broken release: keeps {locks} advisory lock");
        let starts = if starts {
            "starts"
        } else {
            "still waits after a second"
        };
        println!("the fixed release:  {starts}");
    } else {
        println!("one instance:     starts");
        match collide().await? {
            None => println!("another instance: starts"),
            Some(error) => println!("another instance: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn failure_doesnt_keep_the_next_instance_out()
    -> Result<(), MigrateError> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")
                .map_err(sqlx::Error::from)?;
            return Ok(());
        };
        let schema = format!("migrated_test_{}", std::process::id());
        let ended = broken_then_fixed(&server, &schema).await?;
        assert_eq!(ended, (1, false));
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_instances() -> Result<(), MigrateError> {
        let error = collide().await?.expect("one instance fails");
        assert!(matches!(error, MigrateError::ExecuteMigration(_, 2)));
        Ok(())
    }
}
