//! Wrong: two transactions lock the same rows in opposite orders.

// ANCHOR: wrong
use sqlx::{PgConnection, PgPool};

/// Moves units between two shelves.
async fn relocate(
    pool: &PgPool,
    from: i64,
    to: i64,
    units: u32,
) -> sqlx::Result<()> {
    let units = i64::from(units);
    let mut transaction = pool.begin().await?;
    // Wrong: locks `from` first, which is `to` in another transaction.
    change(&mut transaction, from, -units).await?;
    both_have_changed_one().await;
    change(&mut transaction, to, units).await?;
    transaction.commit().await
}

async fn change(
    connection: &mut PgConnection,
    shelf: i64,
    change: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE stock SET amount = amount + $1 WHERE shelf = $2",
    )
    .bind(change)
    .bind(shelf)
    .execute(connection)
    .await?;
    Ok(())
}
// ANCHOR_END: wrong

use std::sync::LazyLock;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Barrier;

static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));

/// Waits for the other transaction, so that they always collide.
async fn both_have_changed_one() {
    BOTH.wait().await;
}

/// Creates a schema with two shelves, if there is a server.
async fn open(name: &str) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let options = options.options([("search_path", &schema)]);
    let pool = PgPool::connect_with(options).await?;
    let sql = sqlx::AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE;
         CREATE SCHEMA {schema};
         CREATE TABLE stock
         (shelf BIGINT PRIMARY KEY, amount BIGINT NOT NULL);
         INSERT INTO stock VALUES (1, 100), (2, 100);"
    ));
    sqlx::raw_sql(sql).execute(&pool).await?;
    Ok(Some(pool))
}

async fn close(pool: &PgPool, name: &str) -> sqlx::Result<()> {
    let schema = format!("{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
    pool.close().await;
    Ok(())
}

/// Moves units in opposite directions at the same time. Returns the
/// results, the successful one first.
async fn both_ways(pool: &PgPool) -> [String; 2] {
    let told = |result: sqlx::Result<()>| match result {
        Ok(()) => "relocated".to_owned(),
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            format!("{code} {}", error.message())
        }
        Err(error) => error.to_string(),
    };
    let (one, other) =
        tokio::join!(relocate(pool, 1, 2, 10), relocate(pool, 2, 1, 5));
    if one.is_ok() {
        [told(one), told(other)]
    } else {
        [told(other), told(one)]
    }
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pool) = open("opposite_locks").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let [one, other] = both_ways(&pool).await;
    println!("one:   {one}");
    println!("other: {other}");
    close(&pool, "opposite_locks").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn overload_in_opposite_directions() -> sqlx::Result<()> {
        let name = "opposite_locks_test";
        let Some(pool) = open(name).await? else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        let [one, other] = both_ways(&pool).await;
        close(&pool, name).await?;
        assert_eq!(one, "relocated");
        assert_eq!(other, "40P01 deadlock detected");
        Ok(())
    }
}
