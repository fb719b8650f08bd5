//! Lock the rows in one order, and two transactions don't deadlock.

// ANCHOR: relocate
use sqlx::PgPool;

/// Moves units between two shelves: both rows change, or none. Returns
/// false if the first shelf has too few, if a shelf doesn't exist, or if
/// both are the same. An error of the commit leaves the outcome unknown.
async fn relocate(
    pool: &PgPool,
    from: i64,
    to: i64,
    units: u32,
) -> sqlx::Result<bool> {
    let units = i64::from(units);
    let mut transaction = pool.begin().await?;
    // Locks the lower number first, whichever way the units move.
    let shelves: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT shelf, amount FROM stock WHERE shelf IN ($1, $2)
         ORDER BY shelf FOR UPDATE",
    )
    .bind(from)
    .bind(to)
    .fetch_all(&mut *transaction)
    .await?;
    let enough = |&(shelf, amount): &(i64, i64)| {
        shelf == from && amount >= units
    };
    if shelves.len() != 2 || !shelves.iter().any(enough) {
        return Ok(false);
    }
    for (shelf, change) in [(from, -units), (to, units)] {
        let change = sqlx::query(CHANGE).bind(change).bind(shelf);
        change.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

const CHANGE: &str =
    "UPDATE stock SET amount = amount + $1 WHERE shelf = $2";
// ANCHOR_END: relocate

use std::time::Duration;

use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Creates a schema with two shelves, if there is a server.
async fn open(name: &str) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(10))
        // A `begin` that was dropped leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                let end =
                    tokio::time::timeout(Duration::from_secs(5), end)
                        .await;
                end.map_err(std::io::Error::from)??;
                Ok(true)
            })
        })
        .connect_with(options.options([
            ("search_path", &*schema),
            ("lock_timeout", "5s"),
            ("statement_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "15s"),
        ]))
        .await?;
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

async fn shelves(pool: &PgPool) -> sqlx::Result<Vec<i64>> {
    let amounts = "SELECT amount FROM stock ORDER BY shelf";
    sqlx::query_scalar(amounts).fetch_all(pool).await
}

/// Moves units in opposite directions at the same time. Returns how
/// many calls succeeded.
async fn both_ways(pool: &PgPool) -> sqlx::Result<u32> {
    let (one, other) = tokio::try_join!(
        relocate(pool, 1, 2, 10),
        relocate(pool, 2, 1, 5)
    )?;
    Ok(u32::from(one) + u32::from(other))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pool) = open("rows_in_order").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    println!("relocated: {}", both_ways(&pool).await?);
    println!("shelves:   {:?}", shelves(&pool).await?);
    close(&pool, "rows_in_order").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    async fn with_shelves(
        name: &str,
        test: impl AsyncFn(&PgPool) -> sqlx::Result<()>,
    ) -> sqlx::Result<()> {
        let name = format!("rows_in_order_{name}");
        let Some(pool) = open(&name).await? else {
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
    async fn overload_in_opposite_directions() -> sqlx::Result<()> {
        with_shelves("opposite", async |pool| {
            assert_eq!(both_ways(pool).await?, 2);
            assert_eq!(shelves(pool).await?, [95, 105]);
            Ok(())
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_never_deadlock() -> sqlx::Result<()> {
        with_shelves("threads", async |pool| {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..200 {
                let pool = pool.clone();
                let (from, to) = [(1, 2), (2, 1)][number % 2];
                tasks.spawn(async move {
                    relocate(&pool, from, to, 1).await
                });
            }
            for done in tasks.join_all().await {
                assert!(done?);
            }
            assert_eq!(shelves(pool).await?, [100, 100]);
            Ok(())
        })
        .await
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
            for _ in 0..8 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE stock SET amount = amount";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_moves_all_of_it_or_nothing() -> sqlx::Result<()> {
        with_shelves("cancel", async |pool| {
            hazards::at_every_poll(async |cancel| {
                cancel.run(relocate(pool, 1, 2, 1)).await;
                let shelves = shelves(pool).await.expect("shelves");
                assert_eq!(shelves.iter().sum::<i64>(), 200);
                all_are_clean(pool).await;
            })
            .await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn edges_too_many_the_same_shelf_and_an_unknown_one()
    -> sqlx::Result<()> {
        with_shelves("edges", async |pool| {
            assert!(!relocate(pool, 1, 2, 101).await?);
            assert!(!relocate(pool, 1, 1, 1).await?);
            assert!(!relocate(pool, 1, 3, 1).await?);
            assert!(relocate(pool, 1, 2, 0).await?);
            assert!(relocate(pool, 1, 2, 100).await?);
            assert_eq!(shelves(pool).await?, [0, 200]);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_the_second_change_undoes_the_first()
    -> sqlx::Result<()> {
        with_shelves("failure", async |pool| {
            let limit = "ALTER TABLE stock ADD CHECK (amount <= 100)";
            sqlx::query(limit).execute(pool).await?;
            assert!(relocate(pool, 1, 2, 1).await.is_err());
            assert_eq!(shelves(pool).await?, [100, 100]);
            Ok(())
        })
        .await
    }
}
