//! Retry the whole transaction when PostgreSQL reports a conflict.

// ANCHOR: retry
use sqlx::{Executor, PgConnection, PgPool};
use tokio::time::{Duration, sleep};

const ATTEMPTS: u32 = 5;

/// Runs the work in a SERIALIZABLE transaction. After a conflict, it
/// runs the whole transaction again, `ATTEMPTS` times in all. So the
/// work must have no effects outside of the transaction. If the call is
/// canceled or the connection breaks during the commit, the work may or
/// may not have been committed.
async fn serializable<T>(
    pool: &PgPool,
    work: impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    let mut attempt = 1;
    loop {
        match once(pool, &work).await {
            Err(e) if is_conflict(&e) && attempt < ATTEMPTS => {}
            done => return done,
        }
        // The connection is back in the pool. A random pause keeps the
        // same transactions from meeting again.
        let most = 10 << attempt;
        sleep(Duration::from_millis(fastrand::u64(0..most))).await;
        attempt += 1;
    }
}

async fn once<T>(
    pool: &PgPool,
    work: &impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let mut transaction = pool.begin_with(begin).await?;
    let done = work(&mut transaction).await?;
    // If the work ignored an error, this fails. The commit wouldn't.
    transaction.execute("SELECT 1").await?;
    transaction.commit().await?; // It can report a conflict, too.
    Ok(done)
}
// ANCHOR_END: retry

// ANCHOR: sell
/// Not serializable, or a deadlock: nothing was done.
fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

/// Sells a unit from this shelf. One unit must stay on the shelves.
async fn sell(pool: &PgPool, shelf: i64) -> sqlx::Result<bool> {
    // Without `move`, the future of `sell` couldn't be spawned.
    serializable(pool, async move |connection: &mut PgConnection| {
        let units: i64 = sqlx::query_scalar(UNITS)
            .fetch_one(&mut *connection)
            .await?;
        if units < 2 {
            return Ok(false);
        }
        let taken = sqlx::query(TAKE).bind(shelf);
        let taken = taken.execute(connection).await?;
        Ok(taken.rows_affected() == 1)
    })
    .await
}

const UNITS: &str = "SELECT CAST(SUM(amount) AS BIGINT) FROM stock";
const TAKE: &str = "UPDATE stock SET amount = amount - 1
                    WHERE shelf = $1 AND amount > 0";
// ANCHOR_END: sell

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Creates a schema with this much on two shelves, if there is a
/// server.
async fn open(name: &str, each: i64) -> sqlx::Result<Option<PgPool>> {
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
         INSERT INTO stock VALUES (1, {each}), (2, {each});"
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
    sqlx::query_scalar(UNITS).fetch_one(pool).await
}

/// Two transactions which see the same two units, each at its first
/// attempt. Returns how many sold one, and the number of attempts.
async fn skew(pool: &PgPool) -> sqlx::Result<(u32, u32)> {
    let both_have_read = tokio::sync::Barrier::new(2);
    let attempts = std::sync::atomic::AtomicU32::new(0);
    let sell = async |shelf: i64| {
        let first = std::cell::Cell::new(true);
        serializable(pool, async |connection| {
            attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let units: i64 = sqlx::query_scalar(UNITS)
                .fetch_one(&mut *connection)
                .await?;
            if first.replace(false) {
                both_have_read.wait().await;
            }
            if units < 2 {
                return Ok(false);
            }
            let taken = sqlx::query(TAKE).bind(shelf);
            let taken = taken.execute(connection).await?;
            Ok(taken.rows_affected() == 1)
        })
        .await
    };
    let (one, other) = tokio::try_join!(sell(1), sell(2))?;
    Ok((u32::from(one) + u32::from(other), attempts.into_inner()))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let name = "whole_transaction";
    let Some(pool) = open(name, 1).await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let (sold, attempts) = skew(&pool).await?;
    // Usually one more than two, but the next attempt can meet the
    // other transaction again.
    println!("sold: {sold}, retried: {}", attempts > 2);
    println!("left: {}", left(&pool).await?);
    println!("the next one: {}", sell(&pool, 1).await?);
    close(&pool, name).await
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io::Write as _};

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    async fn with_shelves(
        name: &str,
        each: i64,
        test: impl AsyncFn(&PgPool) -> sqlx::Result<()>,
    ) -> sqlx::Result<()> {
        let name = format!("whole_{name}");
        let Some(pool) = open(&name, each).await? else {
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
    async fn again_after_a_conflict() -> sqlx::Result<()> {
        with_shelves("skew", 1, async |pool| {
            let (sold, attempts) = skew(pool).await?;
            assert_eq!(sold, 1);
            assert!(attempts >= 3, "{attempts}");
            assert_eq!(left(pool).await?, 1);
            Ok(())
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_leave_one_unit() -> sqlx::Result<()> {
        with_shelves("threads", 4, async |pool| {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..16 {
                let pool = pool.clone();
                let shelf = 1 + number % 2;
                tasks.spawn(async move { sell(&pool, shelf).await });
            }
            let mut sold = 0;
            for sale in tasks.join_all().await {
                match sale {
                    Ok(sale) => sold += i64::from(sale),
                    // Its attempts are used up, and nothing was sold.
                    Err(error) => assert!(is_conflict(&error)),
                }
            }
            let left = left(pool).await?;
            assert_eq!(sold + left, 8);
            assert!(left >= 1, "{left}");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn overload_of_conflicts_is_bounded() -> sqlx::Result<()> {
        with_shelves("bounded", 1, async |pool| {
            let attempts = Cell::new(0);
            let conflict = serializable(pool, async |connection| {
                attempts.set(attempts.get() + 1);
                let raise = "DO $$ BEGIN RAISE SQLSTATE '40001'; \
                                 END $$";
                sqlx::query(raise).execute(connection).await?;
                Ok(())
            })
            .await;
            assert!(is_conflict(&conflict.expect_err("a conflict")));
            assert_eq!(attempts.get(), ATTEMPTS);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_another_kind_is_returned() -> sqlx::Result<()> {
        with_shelves("failure", 1, async |pool| {
            let attempts = Cell::new(0);
            let failed = serializable(pool, async |connection| {
                attempts.set(attempts.get() + 1);
                sqlx::query(TAKE)
                    .bind(1_i64)
                    .execute(&mut *connection)
                    .await?;
                sqlx::query("SELECT 1 / 0").execute(connection).await?;
                Ok(())
            });
            assert!(failed.await.is_err());
            assert_eq!((attempts.get(), left(pool).await?), (1, 2));
            Ok(())
        })
        .await
    }

    /// The amount after a commit that was dropped, which can still hold
    /// the row's lock.
    async fn settled(pool: &PgPool) -> sqlx::Result<i64> {
        let amount =
            "SELECT amount FROM stock WHERE shelf = 1 FOR UPDATE";
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
    async fn cancel_sells_all_of_it_or_nothing() -> sqlx::Result<()> {
        with_shelves("cancel", 500, async |pool| {
            hazards::at_every_poll(async |cancel| {
                let before = settled(pool).await.expect("an amount");
                let sold = cancel.run(sell(pool, 1)).await;
                all_are_clean(pool).await;
                let after = settled(pool).await.expect("an amount");
                assert!(after == before || after == before - 1);
                assert!(sold.is_none() || after == before - 1);
            })
            .await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn panic_rolls_back() -> sqlx::Result<()> {
        with_shelves("panic", 1, async |pool| {
            let broken = {
                let pool = pool.clone();
                tokio::spawn(async move {
                    serializable(&pool, async |connection| {
                        let taken = sqlx::query(TAKE).bind(1_i64);
                        taken.execute(connection).await?;
                        if true {
                            panic!("broken");
                        }
                        Ok(())
                    })
                    .await
                })
            };
            assert!(broken.await.is_err_and(|it| it.is_panic()));
            assert_eq!(left(pool).await?, 2);
            assert!(sell(pool, 1).await?);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn edges_an_empty_shelf_and_an_unknown_one()
    -> sqlx::Result<()> {
        with_shelves("edges", 1, async |pool| {
            assert!(!sell(pool, 3).await?);
            assert!(sell(pool, 1).await?);
            assert!(!sell(pool, 1).await?);
            assert!(!sell(pool, 2).await?);
            Ok(())
        })
        .await
    }

    /// The work ignores an error, after which PostgreSQL only rolls
    /// back, and answers the COMMIT without an error.
    #[tokio::test]
    async fn failure_that_the_work_ignores_is_an_error()
    -> sqlx::Result<()> {
        with_shelves("ignored", 1, async |pool| {
            for raise in ["40001", "23505"] {
                let attempts = Cell::new(0);
                let sold = serializable(pool, async |connection| {
                    attempts.set(attempts.get() + 1);
                    let taken = sqlx::query(TAKE).bind(1_i64);
                    taken.execute(&mut *connection).await?;
                    let raise = format!(
                        "DO $$ BEGIN RAISE SQLSTATE '{raise}'; END $$"
                    );
                    let raise = sqlx::AssertSqlSafe(raise);
                    let _ =
                        sqlx::query(raise).execute(connection).await;
                    Ok(true)
                });
                let error = sold.await.expect_err("it was rolled back");
                let error = error.into_database_error().expect("code");
                assert_eq!(error.code().as_deref(), Some("25P02"));
                assert_eq!(attempts.get(), 1);
                assert_eq!(left(pool).await?, 2);
            }
            Ok(())
        })
        .await
    }
}
