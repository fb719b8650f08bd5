//! Wrong: the notification is the only copy that the program reads.

// ANCHOR: wrong
use sqlx::{PgPool, postgres::PgListener};

/// Ships the orders that notifications name.
async fn follow(
    listeners: &PgPool,
    channel: &str,
    ship: impl AsyncFn(&str) -> sqlx::Result<()>,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(listeners).await?;
    listener.listen(channel).await?;
    loop {
        // Wrong: if the connection is lost, `recv` reconnects, and
        // says nothing about what was sent meanwhile.
        let order = listener.recv().await?;
        ship(order.payload()).await?;
    }
}
// ANCHOR_END: wrong

use std::sync::{Mutex, PoisonError};

use sqlx::{
    AssertSqlSafe,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Notify;

async fn place(
    pool: &PgPool,
    channel: &str,
    order: i64,
) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(order)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(channel)
        .bind(order.to_string())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Waits until a connection listens.
async fn until_it_listens(
    pool: &PgPool,
    schema: &str,
) -> sqlx::Result<()> {
    let listening = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE application_name = $1 AND query LIKE 'LISTEN%'
        AND state = 'idle'";
    loop {
        let count = sqlx::query_scalar(listening).bind(schema);
        let count: i64 = count.fetch_one(pool).await?;
        if count > 0 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Places an order before it listens, while it waits, while its
/// connection is lost, and after that. Returns those that are shipped.
async fn run(server: &str, schema: &str) -> sqlx::Result<Vec<String>> {
    let options = server.parse::<PgConnectOptions>()?;
    let options = options.options([("search_path", schema)]);
    let pool = PgPool::connect_with(options.clone()).await?;
    for statement in [
        format!("CREATE SCHEMA {schema}"),
        "CREATE TABLE orders (id BIGINT PRIMARY KEY)".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await?;
    }
    let listeners = PgPoolOptions::new()
        .connect_with(options.application_name(schema))
        .await?;

    let shipped = Mutex::new(Vec::new());
    let (lost, done) = (Notify::new(), Notify::new());
    let follow = follow(&listeners, schema, async |order| {
        shipped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order.to_owned());
        match order {
            "2" => {
                let cut = "SELECT pg_terminate_backend(pid, 10000)
                    FROM pg_stat_activity WHERE application_name = $1";
                sqlx::query(cut).bind(schema).execute(&pool).await?;
                place(&pool, schema, 3).await?;
                lost.notify_one();
            }
            _ => done.notify_one(),
        }
        Ok(())
    });
    let later = async {
        until_it_listens(&pool, schema).await?;
        place(&pool, schema, 2).await?;
        lost.notified().await;
        until_it_listens(&pool, schema).await?;
        place(&pool, schema, 4).await?;
        done.notified().await;
        Ok::<_, sqlx::Error>(())
    };
    place(&pool, schema, 1).await?;
    tokio::select! {
        failed = follow => failed?,
        placed = later => placed?,
    }
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    listeners.close().await;
    pool.close().await;
    Ok(shipped.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let schema = format!("notify_only_{}", std::process::id());
    println!("placed:  [1, 2, 3, 4]");
    let shipped = run(&server, &schema).await?.join(", ");
    println!("shipped: [{shipped}]");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_the_connection_loses_no_order()
    -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            eprintln!("not tested on PostgreSQL: no DATABASE_URL");
            return Ok(());
        };
        let schema = format!("notify_only_t_{}", std::process::id());
        // Placed before it listened, and while it wasn't connected.
        assert_eq!(run(&server, &schema).await?, ["2", "4"]);
        Ok(())
    }
}
