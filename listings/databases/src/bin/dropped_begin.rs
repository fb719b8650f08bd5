//! Wrong: a dropped `begin` leaves its connection in a transaction.

// ANCHOR: wrong
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Wrong: passes a connection on as the last request left it.
async fn connect(
    options: PgConnectOptions,
    connections: u32,
) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(connections)
        .connect_with(options)
        .await
}
// ANCHOR_END: wrong

use futures::FutureExt;
use sqlx::Connection;

/// Creates a schema, if there is a server. The pool has a single
/// connection, so that all requests share it.
async fn open(name: &str) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let options = options.options([("search_path", &schema)]);
    let pool = connect(options, 1).await?;
    let sql = sqlx::AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE;
         CREATE SCHEMA {schema};
         CREATE TABLE orders (id BIGINT PRIMARY KEY);"
    ));
    sqlx::raw_sql(sql).execute(&pool).await?;
    Ok(Some(pool))
}

async fn close(pool: PgPool, name: &str) -> sqlx::Result<()> {
    let options = pool.connect_options();
    pool.close().await;
    let pool = PgPool::connect_with(options.as_ref().clone()).await?;
    let schema = format!("{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn place(pool: &PgPool, id: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(id)
        .execute(pool)
        .await?;
    Ok(())
}

/// The orders that another process sees.
async fn seen_elsewhere(pool: &PgPool) -> sqlx::Result<i64> {
    let options = pool.connect_options();
    let elsewhere = PgPool::connect_with(options.as_ref().clone());
    let elsewhere = elsewhere.await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders")
        .fetch_one(&elsewhere)
        .await?;
    elsewhere.close().await;
    Ok(count)
}

/// The server answers after a moment, not during the first poll.
const SLOWLY: &str = "BEGIN; SELECT pg_sleep(0.05)";

/// A `begin` that is dropped while it waits for the server's answer, as
/// by a timeout.
async fn dropped_begin(pool: &PgPool) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let begin = connection.begin_with(SLOWLY).now_or_never();
    assert!(begin.is_none(), "it waits for the server");
    Ok(())
}

fn told(result: &sqlx::Result<()>) -> String {
    match result {
        Ok(()) => "placed".to_owned(),
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            format!("{code} {}", error.message())
        }
        Err(error) => error.to_string(),
    }
}

/// Four requests that share a connection. The first is canceled.
async fn requests(pool: &PgPool) -> sqlx::Result<[String; 4]> {
    dropped_begin(pool).await?;
    let one = place(pool, 1).await;
    let seen = seen_elsewhere(pool).await?;
    let same = place(pool, 1).await;
    let other = place(pool, 2).await;
    Ok([told(&one), seen.to_string(), told(&same), told(&other)])
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pool) = open("dropped_begin").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let [one, seen, same, other] = requests(&pool).await?;
    println!("order 1:        {one}");
    println!("seen by others: {seen}");
    println!("order 1 again:  {same}");
    println!("order 2:        {other}");
    close(pool, "dropped_begin").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn cancel_of_a_begin_leaves_no_transaction()
    -> sqlx::Result<()> {
        let Some(pool) = open("dropped_begin_test").await? else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        let [one, seen, same, other] = requests(&pool).await?;
        close(pool, "dropped_begin_test").await?;
        // The order was placed, and is lost.
        assert_eq!(one, "placed");
        let fixed = "sqlx rolls back a dropped `begin`: this program \
                     is obsolete, and so is the workaround for it";
        assert_eq!(seen, "0", "{fixed}");
        assert!(same.starts_with("23505 "), "{same}");
        assert!(other.starts_with("25P02 "), "{fixed}");
        Ok(())
    }
}
