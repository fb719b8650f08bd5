//! Set the tenant for one transaction, so that it isn't left on a shared connection.

// ANCHOR: invoices
use std::{io, time::Duration};

use sqlx::PgPool;
use tokio::time::timeout;

/// How long a query may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Counts the tenant's invoices. The view `own_invoices` reads the
/// setting.
async fn invoices(pool: &PgPool, tenant: &str) -> sqlx::Result<i64> {
    let query = async {
        let mut transaction = pool.begin().await?;
        // `true`: until this transaction ends, as with SET LOCAL.
        sqlx::query("SELECT set_config('shop.tenant', $1, true)")
            .bind(tenant)
            .persistent(false)
            .execute(&mut *transaction)
            .await?;
        let invoices =
            sqlx::query_scalar("SELECT count(*) FROM own_invoices")
                .persistent(false)
                .fetch_one(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(invoices)
    };
    match timeout(LIMIT, query).await {
        Ok(invoices) => invoices,
        Err(elapsed) => Err(sqlx::Error::Io(io::Error::from(elapsed))),
    }
}
// ANCHOR_END: invoices

use std::env;

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Creates an empty database. Returns the options for PgBouncer and for
/// the server itself, if their variables are set.
async fn fresh(
    name: &str,
) -> sqlx::Result<Option<(PgConnectOptions, PgConnectOptions)>> {
    let (Ok(pgbouncer), Ok(server)) =
        (env::var("PGBOUNCER_URL"), env::var("DATABASE_URL"))
    else {
        return Ok(None);
    };
    let server: PgConnectOptions = server.parse()?;
    let mut admin = PgConnection::connect_with(&server).await?;
    for statement in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut admin)
            .await?;
    }
    admin.close().await?;
    let pgbouncer: PgConnectOptions = pgbouncer.parse()?;
    Ok(Some((pgbouncer.database(name), server.database(name))))
}

/// A view that shows each tenant its own invoices: three of Ann's, and
/// one of Bob's.
async fn create(server: &PgConnectOptions) -> sqlx::Result<()> {
    let mut direct = PgConnection::connect_with(server).await?;
    for statement in [
        "CREATE TABLE invoices (tenant TEXT NOT NULL)",
        "INSERT INTO invoices VALUES ('ann'), ('ann'), ('ann'), ('bob')",
        "CREATE VIEW own_invoices AS SELECT * FROM invoices
         WHERE tenant = current_setting('shop.tenant', true)",
    ] {
        sqlx::query(statement).execute(&mut direct).await?;
    }
    direct.close().await
}

async fn open(pgbouncer: &PgConnectOptions) -> sqlx::Result<PgPool> {
    let options = pgbouncer.clone().extra_float_digits(None);
    PgPoolOptions::new()
        .max_connections(4)
        // A `begin` that was dropped leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                timeout(LIMIT, end)
                    .await
                    .map_err(io::Error::from)??;
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// A request that forgets to say whose invoices it wants.
async fn without_tenant(pool: &PgPool) -> sqlx::Result<i64> {
    let mut transaction = pool.begin().await?;
    let invoices =
        sqlx::query_scalar("SELECT count(*) FROM own_invoices")
            .persistent(false)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(invoices)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some((pgbouncer, server)) =
        fresh("tenant_in_transaction").await?
    else {
        println!("this program needs PgBouncer: set PGBOUNCER_URL");
        return Ok(());
    };
    create(&server).await?;
    let pool = open(&pgbouncer).await?;
    println!("Ann's invoices: {}", invoices(&pool, "ann").await?);
    println!("Bob's invoices: {}", invoices(&pool, "bob").await?);
    println!("without a tenant: {}", without_tenant(&pool).await?);
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_each_tenant_sees_its_own() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tt_overload").await?
        else {
            return Ok(());
        };
        create(&server).await?;
        let pool = open(&pgbouncer).await?;
        let mut tasks =
            tokio::task::JoinSet::<sqlx::Result<bool>>::new();
        for number in 0..40 {
            let pool = pool.clone();
            tasks.spawn(async move {
                let (tenant, expected) = match number % 3 {
                    0 => ("ann", 3),
                    1 => ("bob", 1),
                    _ => {
                        let all = without_tenant(&pool).await?;
                        return Ok(all == 0);
                    }
                };
                Ok(invoices(&pool, tenant).await? == expected)
            });
        }
        while let Some(own) = tasks.join_next().await {
            assert!(own.expect("no panic")?);
        }
        pool.close().await;
        Ok(())
    }

    /// Waits until no connection is inside a transaction.
    async fn no_transaction_is_open(server: &PgConnectOptions) {
        let mut direct =
            PgConnection::connect_with(server).await.expect("a server");
        let open = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database()
            AND state LIKE 'idle in transaction%'";
        for _ in 0..100 {
            // A dropped `begin` may still be on its way.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let open = sqlx::query_scalar(open);
            let open: i64 =
                open.fetch_one(&mut direct).await.expect("a count");
            if open == 0 {
                direct.close().await.expect("closed");
                return;
            }
        }
        panic!("a transaction stays open");
    }

    #[tokio::test]
    async fn cancel_leaves_no_tenant_behind() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tt_cancel").await?
        else {
            return Ok(());
        };
        create(&server).await?;
        let pool = open(&pgbouncer).await?;
        hazards::at_every_poll(async |cancel| {
            let _ = cancel.run(invoices(&pool, "ann")).await;
            no_transaction_is_open(&server).await;
            for _ in 0..8 {
                let left = without_tenant(&pool).await;
                assert_eq!(left.expect("a clean connection"), 0);
            }
        })
        .await;
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_lock_ends_at_the_limit() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tt_silence").await?
        else {
            return Ok(());
        };
        create(&server).await?;
        let pool = open(&pgbouncer).await?;
        let mut direct = PgConnection::connect_with(&server).await?;
        let mut locking = direct.begin().await?;
        let lock = sqlx::raw_sql("LOCK TABLE invoices");
        lock.execute(&mut *locking).await?;
        let counted = invoices(&pool, "ann").await;
        assert!(matches!(
            counted,
            Err(sqlx::Error::Io(error))
                if error.kind() == io::ErrorKind::TimedOut
        ));
        locking.rollback().await?;
        assert_eq!(without_tenant(&pool).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_leaves_no_tenant_behind() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tt_failure").await?
        else {
            return Ok(());
        };
        let pool = open(&pgbouncer).await?;
        assert!(invoices(&pool, "ann").await.is_err());
        create(&server).await?;
        assert_eq!(without_tenant(&pool).await?, 0);
        assert_eq!(invoices(&pool, "ann").await?, 3);
        Ok(())
    }

    #[tokio::test]
    async fn edges_tenants_that_look_like_sql() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tt_edges").await? else {
            return Ok(());
        };
        create(&server).await?;
        let pool = open(&pgbouncer).await?;
        for tenant in ["", "' OR true; --", "\u{17c}"] {
            assert_eq!(invoices(&pool, tenant).await?, 0);
        }
        Ok(())
    }
}
