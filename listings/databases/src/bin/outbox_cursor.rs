//! Wrong: a relay remembers the last number that it has sent.

// ANCHOR: wrong
use sqlx::PgPool;

/// Sends the events after `last`. Returns the new last number.
async fn relay(
    pool: &PgPool,
    broker: &mut Vec<String>,
    last: i64,
) -> sqlx::Result<i64> {
    // Wrong: numbers are drawn before the commit. A transaction that
    // commits later can have a *smaller* one, which is never read.
    let events: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, event FROM outbox WHERE id > $1 ORDER BY id",
    )
    .bind(last)
    .fetch_all(pool)
    .await?;
    let newest = events.last().map_or(last, |(id, _)| *id);
    broker.extend(events.into_iter().map(|(_, event)| event));
    Ok(newest)
}
// ANCHOR_END: wrong

use sqlx::{AssertSqlSafe, postgres::PgConnectOptions};

/// Two transactions, of which the first one to insert is the last one
/// to commit. Returns the events that were sent, and those that exist.
async fn run(
    server: &str,
    schema: &str,
) -> sqlx::Result<(Vec<String>, i64)> {
    let options = server.parse::<PgConnectOptions>()?;
    let options = options.options([("search_path", schema)]);
    let pool = PgPool::connect_with(options).await?;
    for statement in [
        format!("CREATE SCHEMA {schema}"),
        "CREATE TABLE outbox (event TEXT NOT NULL,
         id BIGINT GENERATED ALWAYS AS IDENTITY)"
            .to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await?;
    }
    let insert = "INSERT INTO outbox (event) VALUES ($1)";
    let mut broker = Vec::new();

    let mut slow = pool.begin().await?;
    let first = sqlx::query(insert).bind("order 7 placed");
    first.execute(&mut *slow).await?;
    let second = sqlx::query(insert).bind("order 8 placed");
    second.execute(&pool).await?;
    let last = relay(&pool, &mut broker, 0).await?;
    slow.commit().await?;
    relay(&pool, &mut broker, last).await?;

    let count = sqlx::query_scalar("SELECT COUNT(*) FROM outbox");
    let count = count.fetch_one(&pool).await?;
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    pool.close().await;
    Ok((broker, count))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let schema = format!("outbox_cursor_{}", std::process::id());
    let (sent, exist) = run(&server, &schema).await?;
    println!("in the outbox: {exist} events");
    println!("sent: {sent:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_transactions_skips_no_event()
    -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            eprintln!("not tested on PostgreSQL: no DATABASE_URL");
            return Ok(());
        };
        let schema = format!("outbox_cursor_t_{}", std::process::id());
        let (sent, exist) = run(&server, &schema).await?;
        assert_eq!(
            (&sent[..], exist),
            (&["order 8 placed".to_owned()][..], 2)
        );
        Ok(())
    }
}
