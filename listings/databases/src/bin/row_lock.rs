//! Lock the row when you read it, and the last unit is sold once.

// ANCHOR: sell
use sqlx::PgPool;

/// Sells one unit, if there is one. If the call fails or is canceled
/// before the commit, nothing was sold. If that happens during the
/// commit, the unit may or may not have been sold.
async fn sell(pool: &PgPool) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    // Waits until no other transaction has locked or changed the row,
    // and then reads its latest version.
    let amount: i64 = sqlx::query_scalar(
        "SELECT amount FROM stock WHERE product = 7 FOR UPDATE",
    )
    .fetch_one(&mut *transaction)
    .await?;
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
// ANCHOR_END: sell

// ANCHOR: open
use std::{io, time::Duration};

use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

/// After this time, a returned connection is closed.
const MOMENT: Duration = Duration::from_secs(1);

/// Opens a pool with limits for the waits inside a healthy server.
async fn connect(options: PgConnectOptions) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(4)
        // How long a call waits for a connection,
        .acquire_timeout(Duration::from_secs(10))
        // In sqlx 0.9.0, a `begin` that was dropped leaves its
        // transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                timeout(MOMENT, end)
                    .await
                    .map_err(io::Error::from)??;
                Ok(true)
            })
        })
        .connect_with(options.options([
            // a statement for another transaction's lock,
            ("lock_timeout", "5s"),
            // the caller for a statement,
            ("statement_timeout", "10s"),
            // and the locks for a task that doesn't continue.
            ("idle_in_transaction_session_timeout", "15s"),
        ]))
        .await
}
// ANCHOR_END: open

/// Creates a schema with this stock, if there is a server.
async fn open(name: &str, amount: i64) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let pool =
        connect(options.options([("search_path", &schema)])).await?;
    let sql = sqlx::AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE;
         CREATE SCHEMA {schema};
         CREATE TABLE stock
         (product BIGINT PRIMARY KEY, amount BIGINT NOT NULL);
         INSERT INTO stock VALUES (7, {amount});"
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
    let Some(pool) = open("row_lock", 1).await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let (one, other) = tokio::try_join!(sell(&pool), sell(&pool))?;
    println!("sold: {}", u32::from(one) + u32::from(other));
    println!("left: {}", left(&pool).await?);
    close(&pool, "row_lock").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    async fn with_stock(
        name: &str,
        amount: i64,
        test: impl AsyncFn(&PgPool) -> sqlx::Result<()>,
    ) -> sqlx::Result<()> {
        let name = format!("row_lock_{name}");
        let Some(pool) = open(&name, amount).await? else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        test(&pool).await?;
        close(&pool, &name).await
    }

    #[tokio::test]
    async fn overload_of_two_requests() -> sqlx::Result<()> {
        with_stock("two", 1, async |pool| {
            let (one, other) =
                tokio::try_join!(sell(pool), sell(pool))?;
            assert!(one ^ other, "{one}, {other}");
            assert_eq!(left(pool).await?, 0);
            Ok(())
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_sell_no_more_than_there_is() -> sqlx::Result<()> {
        with_stock("threads", 5, async |pool| {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let pool = pool.clone();
                tasks.spawn(async move { sell(&pool).await });
            }
            let mut sold = 0;
            for sale in tasks.join_all().await {
                sold += u32::from(sale?);
            }
            assert_eq!((sold, left(pool).await?), (5, 0));
            Ok(())
        })
        .await
    }

    /// The amount after a commit that was dropped, which can still hold
    /// the row's lock.
    async fn settled(pool: &PgPool) -> sqlx::Result<i64> {
        let amount = "SELECT amount FROM stock FOR UPDATE";
        sqlx::query_scalar(amount).fetch_one(pool).await
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &PgPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
        let check = async {
            {
                let mut one = pool.acquire().await.expect("it");
                let slowly = "BEGIN; SELECT pg_sleep(0.05)";
                assert!(
                    one.begin_with(slowly).now_or_never().is_none()
                );
            }
            let mut all = Vec::new();
            for _ in 0..4 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE stock SET amount = amount";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_sells_all_of_it_or_nothing() -> sqlx::Result<()> {
        with_stock("cancel", 1000, async |pool| {
            hazards::at_every_poll(async |cancel| {
                let before = settled(pool).await.expect("an amount");
                let sold = cancel.run(sell(pool)).await;
                let after = settled(pool).await.expect("an amount");
                all_are_clean(pool).await;
                assert!(after == before || after == before - 1);
                assert!(sold.is_none() || after == before - 1);
            })
            .await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn edges_the_last_one_and_less_than_none() -> sqlx::Result<()>
    {
        with_stock("edges", 1, async |pool| {
            assert!(sell(pool).await?);
            assert!(!sell(pool).await?);
            sqlx::query("UPDATE stock SET amount = -1")
                .execute(pool)
                .await?;
            assert!(!sell(pool).await?);
            assert_eq!(left(pool).await?, -1);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn failure_is_returned_and_unlocks() -> sqlx::Result<()> {
        with_stock("failure", 0, async |pool| {
            sqlx::query("DELETE FROM stock").execute(pool).await?;
            for _ in 0..5 {
                let sold = sell(pool).await;
                assert!(matches!(sold, Err(sqlx::Error::RowNotFound)));
            }
            let insert = "INSERT INTO stock VALUES (7, 1)";
            sqlx::query(insert).execute(pool).await?;
            assert!(sell(pool).await?);
            Ok(())
        })
        .await
    }

    /// A transaction that keeps its lock delays others for no longer
    /// than the limits that `connect` sets.
    #[tokio::test]
    async fn silence_of_the_owner_of_the_lock() -> sqlx::Result<()> {
        with_stock("silence", 1, async |pool| {
            let mut silent = pool.begin().await?;
            sqlx::query("SELECT amount FROM stock FOR UPDATE")
                .execute(&mut *silent)
                .await?;
            let waited = sell(pool).await.expect_err("a timeout");
            let waited = waited.into_database_error();
            let waited = waited.expect("the database's error");
            assert_eq!(waited.code().as_deref(), Some("55P03"));
            drop(silent);
            assert!(sell(pool).await?);
            Ok(())
        })
        .await
    }
}
