//! Wrong: the row is committed, and the event is sent separately.

// ANCHOR: wrong
use sqlx::SqlitePool;

/// Wrong: after a crash between the two, the event is never sent.
async fn change(
    pool: &SqlitePool,
    broker: &Broker,
    order: &str,
    status: &str,
) -> sqlx::Result<()> {
    update(pool, order, status).await?; // This commits.
    broker.publish(order, status).await;
    Ok(())
}

/// Wrong, too: if the commit fails, the event isn't true.
async fn publish_first(
    pool: &SqlitePool,
    broker: &Broker,
    order: &str,
    status: &str,
) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    update(&mut *transaction, order, status).await?;
    broker.publish(order, status).await;
    transaction.commit().await
}
// ANCHOR_END: wrong

use std::sync::{Mutex, PoisonError};

use sqlx::{Executor, Sqlite, sqlite::SqlitePoolOptions};

async fn update<'a>(
    executor: impl Executor<'a, Database = Sqlite>,
    order: &str,
    status: &str,
) -> sqlx::Result<()> {
    let update = "INSERT INTO orders (id, status) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status";
    sqlx::query(update)
        .bind(order)
        .bind(status)
        .execute(executor)
        .await?;
    Ok(())
}

#[derive(Default)]
struct Broker {
    events: Mutex<Vec<String>>,
    publishing: tokio::sync::Notify,
}

impl Broker {
    /// The network takes a moment.
    async fn publish(&self, order: &str, status: &str) {
        self.publishing.notify_one();
        tokio::task::yield_now().await;
        self.events().push(format!("{order} {status}"));
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await?;
    // Checked at the commit.
    let tables = [
        "CREATE TABLE customers (id TEXT PRIMARY KEY)",
        "CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT,
         customer TEXT DEFAULT 'nobody' REFERENCES customers
         DEFERRABLE INITIALLY DEFERRED)",
    ];
    for table in tables {
        sqlx::query(table).execute(&pool).await?;
    }
    Ok(pool)
}

async fn stored(pool: &SqlitePool) -> sqlx::Result<Vec<String>> {
    let all = "SELECT id || ' ' || status FROM orders ORDER BY id";
    sqlx::query_scalar(all).fetch_all(pool).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let (pool, broker) = (open().await?, Broker::default());
    let failed = publish_first(&pool, &broker, "order 7", "paid").await;
    if let Err(error) = failed {
        println!("publish, then commit: {error}");
    }
    println!("  in the database: {:?}", stored(&pool).await?);
    println!("  at the broker:   {:?}", broker.events());

    let (pool, broker) = (open().await?, Broker::default());
    sqlx::query("INSERT INTO customers VALUES ('nobody')")
        .execute(&pool)
        .await?;
    // It's dropped while it publishes, as if the process crashed.
    tokio::select! {
        biased;
        () = broker.publishing.notified() => {}
        changed = change(&pool, &broker, "order 7", "paid") => changed?,
    }
    println!("commit, then publish: a crash in between");
    println!("  in the database: {:?}", stored(&pool).await?);
    println!("  at the broker:   {:?}", broker.events());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_of_a_change_keeps_row_and_event_together()
    -> sqlx::Result<()> {
        let mut lost = 0;
        hazards::at_every_poll(async |cancel| {
            let pool = open().await.expect("a database");
            sqlx::query("INSERT INTO customers VALUES ('nobody')")
                .execute(&pool)
                .await
                .expect("a table");
            let broker = Broker::default();
            let changed = change(&pool, &broker, "order 7", "paid");
            cancel.run(changed).await;
            let stored = stored(&pool).await.expect("orders");
            // The row is there, and its event isn't.
            lost += usize::from(stored != *broker.events());
        })
        .await;
        assert!(lost > 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_commit_sends_an_event_about_nothing()
    -> sqlx::Result<()> {
        let (pool, broker) = (open().await?, Broker::default());
        publish_first(&pool, &broker, "order 7", "paid")
            .await
            .expect_err("there is no such customer");
        assert!(stored(&pool).await?.is_empty());
        assert_eq!(*broker.events(), ["order 7 paid"]);
        Ok(())
    }
}
