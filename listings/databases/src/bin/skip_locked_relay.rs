//! Wrong: two relays share an outbox with `SKIP LOCKED`.

// ANCHOR: wrong
use sqlx::PgPool;

/// Sends the oldest event that no other relay has locked.
async fn relay(pool: &PgPool, broker: &Broker) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    // Wrong: if another relay has locked an order's first event, this
    // relay sends the second one, and doesn't wait.
    let (id, event): (i64, String) = sqlx::query_as(
        "SELECT id, event FROM outbox WHERE sent = 0 ORDER BY id
         LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .fetch_one(&mut *transaction)
    .await?;
    broker.publish(&event).await;
    sqlx::query("UPDATE outbox SET sent = 1 WHERE id = $1")
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
// ANCHOR_END: wrong

use std::sync::{Mutex, PoisonError};

use sqlx::{AssertSqlSafe, postgres::PgConnectOptions};
use tokio::sync::Notify;

/// The network is slow for the first event.
#[derive(Default)]
struct Broker {
    stored: Mutex<Vec<String>>,
    first_is_on_its_way: Notify,
    another_has_arrived: Notify,
}

impl Broker {
    async fn publish(&self, event: &str) {
        if event == "order 7 placed" {
            self.first_is_on_its_way.notify_one();
            let another = self.another_has_arrived.notified();
            let slow = std::time::Duration::from_millis(500);
            let _ = tokio::time::timeout(slow, another).await;
        }
        let stored = self.stored.lock();
        let mut stored = stored.unwrap_or_else(PoisonError::into_inner);
        stored.push(event.to_owned());
        self.another_has_arrived.notify_one();
    }
}

/// Two relays, concurrently. Returns the events as they arrived.
async fn run(server: &str, schema: &str) -> sqlx::Result<Vec<String>> {
    let options = server.parse::<PgConnectOptions>()?;
    let options = options.options([("search_path", schema)]);
    let pool = PgPool::connect_with(options).await?;
    for statement in [
        format!("CREATE SCHEMA {schema}"),
        "CREATE TABLE outbox (id BIGINT GENERATED ALWAYS AS IDENTITY,
         event TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0)"
            .to_owned(),
        "INSERT INTO outbox (event)
         VALUES ('order 7 placed'), ('order 7 canceled')"
            .to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await?;
    }
    let broker = Broker::default();
    tokio::try_join!(relay(&pool, &broker), async {
        broker.first_is_on_its_way.notified().await;
        relay(&pool, &broker).await
    })?;
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    pool.close().await;
    let stored = broker.stored.into_inner();
    Ok(stored.unwrap_or_else(PoisonError::into_inner))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let schema = format!("skip_locked_relay_{}", std::process::id());
    for event in run(&server, &schema).await? {
        println!("arrived: {event}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_two_relays_keep_the_order() -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            eprintln!("not tested on PostgreSQL: no DATABASE_URL");
            return Ok(());
        };
        let schema = format!("skip_locked_test_{}", std::process::id());
        let arrived = run(&server, &schema).await?;
        assert_eq!(arrived, ["order 7 canceled", "order 7 placed"]);
        Ok(())
    }
}
