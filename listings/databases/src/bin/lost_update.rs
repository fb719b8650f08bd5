//! Wrong: two requests both sell the last unit.

// ANCHOR: wrong
use sqlx::{PgPool, Postgres, Transaction};

/// Starts a transaction and reads the amount.
async fn look(
    pool: &PgPool,
) -> sqlx::Result<(Transaction<'static, Postgres>, i64)> {
    let mut transaction = pool.begin().await?;
    // Wrong: another transaction can change the row after this read.
    let amount = sqlx::query_scalar(
        "SELECT amount FROM stock WHERE product = 7",
    )
    .fetch_one(&mut *transaction)
    .await?;
    Ok((transaction, amount))
}

/// Sells one unit, if one was there when `look` read the amount.
async fn sell(
    (mut transaction, amount): (Transaction<'static, Postgres>, i64),
) -> sqlx::Result<bool> {
    if amount < 1 {
        return Ok(false);
    }
    sqlx::query("UPDATE stock SET amount = $1 WHERE product = 7")
        .bind(amount - 1)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Two requests at the same time. Returns how many units they sold.
async fn two_requests(pool: &PgPool) -> sqlx::Result<u32> {
    let (one, other) = (look(pool).await?, look(pool).await?);
    Ok(u32::from(sell(one).await?) + u32::from(sell(other).await?))
}
// ANCHOR_END: wrong

use sqlx::postgres::PgConnectOptions;

/// Creates a schema with one unit, if there is a server.
async fn open(name: &str) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let options = options
        .options([("search_path", &*schema), ("lock_timeout", "2s")]);
    let pool = PgPool::connect_with(options).await?;
    let sql = sqlx::AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE;
         CREATE SCHEMA {schema};
         CREATE TABLE stock
         (product BIGINT PRIMARY KEY, amount BIGINT NOT NULL);
         INSERT INTO stock VALUES (7, 1);"
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

async fn left(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT amount FROM stock").fetch_one(pool).await
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pool) = open("lost_update").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    println!("sold: {}", two_requests(&pool).await?);
    println!("left: {}", left(&pool).await?);
    close(&pool, "lost_update").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn overload_of_two_requests() -> sqlx::Result<()> {
        let Some(pool) = open("lost_update_test").await? else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        // Both sold the only unit, and there was no error.
        let sold = two_requests(&pool).await;
        let left = left(&pool).await?;
        close(&pool, "lost_update_test").await?;
        assert_eq!((sold?, left), (2, 0));
        Ok(())
    }
}
