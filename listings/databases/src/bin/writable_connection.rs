//! Check that a connection can write before it's used.

// ANCHOR: open
use std::time::Duration;

use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Opens a pool that only hands out connections to a server that
/// accepts writes.
async fn open(server: PgConnectOptions) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(3))
        // Even without an error, no connection is older than this.
        .max_lifetime(Duration::from_secs(10 * 60))
        // The next check is a round trip, too.
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            Box::pin(async move { can_write(connection).await })
        })
        // A new connection may still reach the old primary. After an
        // error, the pool tries again, until the timeout.
        .after_connect(|connection, _| {
            Box::pin(async move {
                match can_write(connection).await? {
                    true => Ok(()),
                    false => Err(sqlx::Error::Protocol(
                        "the server only allows reads".to_owned(),
                    )),
                }
            })
        })
        .connect_with(server)
        .await
}

// ANCHOR_END: open

// ANCHOR: check
/// Asks the server whether this session can write.
async fn can_write(
    connection: &mut PgConnection,
) -> sqlx::Result<bool> {
    let only_reads: String =
        sqlx::query_scalar("SHOW transaction_read_only")
            .fetch_one(connection)
            .await?;
    Ok(only_reads == "off")
}
// ANCHOR_END: check

async fn book(pool: &PgPool, guest: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO bookings VALUES ($1)")
        .bind(guest)
        .execute(pool)
        .await?;
    Ok(())
}

use std::env;

use sqlx::{AssertSqlSafe, Connection};

/// Creates an empty database, and returns its options, if
/// `DATABASE_URL` names a server.
async fn fresh(name: &str) -> sqlx::Result<Option<PgConnectOptions>> {
    let Ok(server) = env::var("DATABASE_URL") else {
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
    let server = server.database(name);
    let mut direct = PgConnection::connect_with(&server).await?;
    sqlx::query("CREATE TABLE bookings (guest TEXT NOT NULL)")
        .execute(&mut direct)
        .await?;
    direct.close().await?;
    Ok(Some(server))
}

/// Does to all sessions of the pool what a failover does to the sessions
/// of the old primary: they can read, and every write fails.
async fn demote(pool: &PgPool) -> sqlx::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        connections.push(pool.acquire().await?);
    }
    let read_only =
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    for connection in &mut connections {
        sqlx::query(read_only).execute(&mut **connection).await?;
    }
    Ok(())
}

fn report(booked: sqlx::Result<()>) -> String {
    let error = match booked {
        Ok(()) => return "booked".to_owned(),
        Err(error) => error,
    };
    match error.as_database_error() {
        Some(answer) => format!(
            "{}: {}",
            answer.code().unwrap_or_default(),
            answer.message()
        ),
        None => error.to_string(),
    }
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(server) = fresh("writable_connection").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let pool = open(server).await?;
    println!(
        "before the failover: {}",
        report(book(&pool, "Ann").await)
    );
    demote(&pool).await?;
    for guest in ["Ben", "Cleo"] {
        let booked = report(book(&pool, guest).await);
        println!("after it: {booked}");
    }
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn booked(server: &PgConnectOptions) -> sqlx::Result<i64> {
        let mut direct = PgConnection::connect_with(server).await?;
        let booked =
            sqlx::query_scalar("SELECT count(*) FROM bookings")
                .fetch_one(&mut direct)
                .await?;
        direct.close().await?;
        Ok(booked)
    }

    #[tokio::test]
    async fn failure_of_the_primary_ends_with_new_connections()
    -> sqlx::Result<()> {
        let Some(server) = fresh("wc_failure").await? else {
            return Ok(());
        };
        let pool = open(server.clone()).await?;
        let four = (0..4).map(|_| pool.acquire());
        drop(futures::future::try_join_all(four).await?);
        assert_eq!(pool.size(), 4);
        demote(&pool).await?;
        for _ in 0..8 {
            book(&pool, "Ben").await?;
        }
        assert_eq!(booked(&server).await?, 8);
        // A server that was shut down: its sessions are closed.
        let mut direct = PgConnection::connect_with(&server).await?;
        sqlx::raw_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database()
             AND pid <> pg_backend_pid()",
        )
        .execute(&mut direct)
        .await?;
        book(&pool, "Cleo").await?;
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn again_while_only_replicas_answer() -> sqlx::Result<()> {
        let Some(server) = fresh("wc_again").await? else {
            return Ok(());
        };
        let pool = open(server.clone()).await?;
        demote(&pool).await?;
        let mut direct = PgConnection::connect_with(&server).await?;
        let new_ones = "ALTER DATABASE wc_again
                        SET default_transaction_read_only = on";
        sqlx::query(new_ones).execute(&mut direct).await?;
        let refused = book(&pool, "Ben").await;
        assert!(matches!(refused, Err(sqlx::Error::PoolTimedOut)));
        // A new primary is there: the same pool finds it.
        let reset = "ALTER DATABASE wc_again
                     RESET default_transaction_read_only";
        sqlx::query(reset).execute(&mut direct).await?;
        book(&pool, "Ben").await?;
        assert_eq!(booked(&server).await?, 1);
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn cancel_leaves_the_pool_usable() -> sqlx::Result<()> {
        let Some(server) = fresh("wc_cancel").await? else {
            return Ok(());
        };
        let pool = open(server).await?;
        hazards::at_every_poll(async |cancel| {
            demote(&pool).await.expect("demoted");
            let _ = cancel.run(book(&pool, "Ben")).await;
            let all = (0..4).map(|_| book(&pool, "Cleo"));
            let all = futures::future::try_join_all(all).await;
            all.expect("four connections that can write");
        })
        .await;
        pool.close().await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_after_a_failover() -> sqlx::Result<()> {
        let Some(server) = fresh("wc_overload").await? else {
            return Ok(());
        };
        let pool = open(server.clone()).await?;
        demote(&pool).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let pool = pool.clone();
            tasks.spawn(async move { book(&pool, "Ben").await });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic")?;
        }
        assert_eq!(booked(&server).await?, 20);
        pool.close().await;
        Ok(())
    }
}
