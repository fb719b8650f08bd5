//! Dropping a transaction rolls it back.

// ANCHOR: drops
use sqlx::AnyPool;
use tokio::time::{Duration, sleep, timeout};

/// Places an order. There's a wait between the two statements.
async fn place(pool: &AnyPool, wait: Duration) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders VALUES (7)")
        .execute(&mut *transaction)
        .await?;
    sleep(wait).await;
    sqlx::query("INSERT INTO receipts VALUES (7)")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Gives up between the two statements. Returns the numbers of rows.
async fn given_up(pool: &AnyPool) -> sqlx::Result<(i64, i64)> {
    let day = Duration::from_secs(24 * 60 * 60);
    let placing = place(pool, day);
    let given_up = timeout(Duration::from_millis(100), placing).await;
    assert!(given_up.is_err(), "it waits for a day");
    counts(pool).await
}

/// Waits until it's complete. Returns the numbers of rows.
async fn waited_for(pool: &AnyPool) -> sqlx::Result<(i64, i64)> {
    place(pool, Duration::ZERO).await?;
    counts(pool).await
}
// ANCHOR_END: drops

async fn counts(pool: &AnyPool) -> sqlx::Result<(i64, i64)> {
    let count = async |sql| {
        sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await
    };
    let orders = count("SELECT COUNT(*) FROM orders").await?;
    Ok((orders, count("SELECT COUNT(*) FROM receipts").await?))
}

use sqlx::{
    Executor,
    any::{AnyPoolOptions, install_default_drivers},
};

/// Opens a pool with one connection and its temporary tables.
async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        // A call that is dropped during this test would close the
        // connection, and its temporary tables would be lost.
        .test_before_acquire(false)
        // On PostgreSQL, a dropped `begin` leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("BEGIN; ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect(address)
        .await?;
    for table in [
        "CREATE TEMPORARY TABLE orders (id BIGINT NOT NULL)",
        "CREATE TEMPORARY TABLE receipts (id BIGINT NOT NULL)",
    ] {
        sqlx::query(table).execute(&pool).await?;
    }
    Ok(pool)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let server = std::env::var("DATABASE_URL");
    let pool =
        open(server.as_deref().unwrap_or("sqlite::memory:")).await?;
    let (orders, receipts) = given_up(&pool).await?;
    println!("given up: {orders} orders, {receipts} receipts");
    let (orders, receipts) = waited_for(&pool).await?;
    println!("waited for: {orders} orders, {receipts} receipts");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Drops a `begin` while a slow server executes it.
    async fn drop_a_begin(pool: &AnyPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
        let mut one = pool.acquire().await.expect("it");
        if one.backend_name() == "PostgreSQL" {
            let slowly = "BEGIN; SELECT pg_sleep(0.02)";
            assert!(one.begin_with(slowly).now_or_never().is_none());
        }
    }

    async fn all_or_nothing(address: &str) -> sqlx::Result<()> {
        let pool = open(address).await?;
        assert_eq!(given_up(&pool).await?, (0, 0));
        assert_eq!(waited_for(&pool).await?, (1, 1));
        hazards::at_every_poll(async |cancel| {
            let (before, _) = counts(&pool).await.expect("it");
            let placed = cancel.run(place(&pool, Duration::ZERO)).await;
            drop_a_begin(&pool).await;
            // Outside of any transaction, so a rollback undoes nothing.
            for statement in [
                "INSERT INTO orders VALUES (8)",
                "INSERT INTO receipts VALUES (8)",
            ] {
                pool.execute(statement).await.expect("inserted");
            }
            let _ = pool.execute("ROLLBACK").await;
            let (orders, receipts) = counts(&pool).await.expect("it");
            assert_eq!(orders, receipts);
            assert!(orders > before + i64::from(placed.is_some()));
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_second_step_rolls_back() -> sqlx::Result<()>
    {
        let pool = open("sqlite::memory:").await?;
        sqlx::query("DROP TABLE receipts").execute(&pool).await?;
        assert!(place(&pool, Duration::ZERO).await.is_err());
        let orders = "SELECT COUNT(*) FROM orders";
        let orders = sqlx::query_scalar::<_, i64>(orders);
        assert_eq!(orders.fetch_one(&pool).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn overload_waits_for_the_only_connection() -> sqlx::Result<()>
    {
        let pool = open("sqlite::memory:").await?;
        let placed = (0..20).map(|_| place(&pool, Duration::ZERO));
        for placed in futures::future::join_all(placed).await {
            placed?;
        }
        assert_eq!(counts(&pool).await?, (20, 20));
        Ok(())
    }

    #[tokio::test]
    async fn cancel_in_sqlite() -> sqlx::Result<()> {
        all_or_nothing("sqlite::memory:").await
    }

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn cancel_in_postgresql() -> sqlx::Result<()> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        all_or_nothing(&address).await
    }
}
