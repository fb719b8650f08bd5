//! Check that a connection can write before it's used.

// ANCHOR: open
use std::{io, time::Duration};

use sqlx::{
    PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

/// Opens a pool of connections to a server that accepts writes.
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
        // Frees the place of a connection that doesn't answer anymore.
        .after_release(|connection, _| {
            Box::pin(async move { can_write(connection).await })
        })
        // A new connection may still reach the old primary. After an
        // error, the pool tries again, until the timeout.
        .after_connect(|connection, _| {
            Box::pin(async move {
                let only_reads = "the server only allows reads".into();
                match can_write(connection).await? {
                    true => Ok(()),
                    false => Err(sqlx::Error::Protocol(only_reads)),
                }
            })
        })
        .connect_with(server.options([CHECK_CLIENT]))
        .await
}
// ANCHOR_END: open

// ANCHOR: check
/// If a connection is closed, the server cancels its statement.
const CHECK_CLIENT: (&str, &str) =
    ("client_connection_check_interval", "1s");

/// Asks the server whether this session can write. A machine that
/// crashed never answers, so that's an error after a second.
async fn can_write(
    connection: &mut PgConnection,
) -> sqlx::Result<bool> {
    let ask = sqlx::raw_sql(ASK).fetch_one(connection);
    let answer = timeout(Duration::from_secs(1), ask).await;
    let only_reads: String =
        answer.map_err(io::Error::from)??.try_get(0)?;
    Ok(only_reads == "off")
}

/// In sqlx 0.9.0, a `begin` that was dropped leaves its transaction
/// open, so the ROLLBACK ends it first. All this takes one round trip.
const ASK: &str = "BEGIN; ROLLBACK; SHOW transaction_read_only";
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

    /// A `begin` is dropped while the server executes it.
    #[tokio::test]
    async fn cancel_of_a_begin_loses_no_later_booking()
    -> sqlx::Result<()> {
        use futures::FutureExt as _;
        let Some(server) = fresh("wc_begin").await? else {
            return Ok(());
        };
        let pool = open(server.clone()).await?;
        for expected in 1..=4 {
            let slowly = "BEGIN; SELECT pg_sleep(0.05)";
            {
                let mut one = pool.acquire().await?;
                let begin = one.begin_with(slowly).now_or_never();
                assert!(begin.is_none(), "it waits for the server");
            }
            book(&pool, "Ben").await?;
            assert_eq!(booked(&server).await?, expected);
        }
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

    /// A caller gives up, and the statement would take an hour.
    #[tokio::test]
    async fn silence_of_a_statement_ends_in_the_server()
    -> sqlx::Result<()> {
        let Some(server) = fresh("wc_statement").await? else {
            return Ok(());
        };
        let pool = open(server.clone()).await?;
        for _ in 0..8 {
            let hour = sqlx::query("SELECT pg_sleep(3600)");
            let limit = Duration::from_millis(50);
            assert!(timeout(limit, hour.execute(&pool)).await.is_err());
        }
        let mut direct = PgConnection::connect_with(&server).await?;
        let all_ended = async {
            loop {
                let active: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database()
                     AND state = 'active' AND pid <> pg_backend_pid()",
                )
                .fetch_one(&mut direct)
                .await
                .expect("a count");
                if active == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        hazards::within(Duration::from_secs(10), all_ended).await;
        book(&pool, "Ben").await?;
        pool.close().await;
        Ok(())
    }

    use std::sync::{Arc, Mutex};

    use tokio::{
        io::copy_bidirectional,
        net::{UnixListener, UnixStream},
    };
    use tokio_util::sync::CancellationToken;

    /// The connections through it are silent once their token is
    /// canceled, as if their machine had lost its power.
    async fn forward(
        server: PgConnectOptions,
        listener: UnixListener,
        power: Arc<Mutex<CancellationToken>>,
    ) {
        let socket = server.get_socket().cloned();
        let socket = socket.unwrap_or("/var/run/postgresql".into());
        let file = format!(".s.PGSQL.{}", server.get_port());
        let socket = socket.join(file);
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let (mut client, _) =
                listener.accept().await.expect("a client");
            let power = power.lock().expect("no panic").clone();
            let socket = socket.clone();
            tasks.spawn(async move {
                let server = UnixStream::connect(socket).await;
                let mut server = server.expect("a server");
                let copy = copy_bidirectional(&mut client, &mut server);
                if power.run_until_cancelled(copy).await.is_none() {
                    std::future::pending::<()>().await;
                }
            });
        }
    }

    /// The machine of the old primary crashes: once with idle
    /// connections, once with all of them in use.
    #[tokio::test]
    async fn silence_of_the_old_primary() -> sqlx::Result<()> {
        let Some(server) = fresh("wc_silence").await? else {
            return Ok(());
        };
        if server.get_socket().is_none() {
            return Ok(());
        }
        let folder = tempfile::tempdir()?;
        let file = format!(".s.PGSQL.{}", server.get_port());
        let listener = UnixListener::bind(folder.path().join(file))?;
        let power = Arc::new(Mutex::new(CancellationToken::new()));
        let crash = || {
            let mut power = power.lock().expect("no panic");
            std::mem::take(&mut *power).cancel();
        };
        let through = server.clone().socket(folder.path());
        tokio::spawn(forward(server, listener, Arc::clone(&power)));
        let pool = open(through).await?;
        let all = async || {
            let four = (0..4).map(|_| pool.acquire());
            futures::future::try_join_all(four).await
        };
        drop(all().await?);
        while pool.num_idle() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        crash();
        let booked = (0..4).map(|_| book(&pool, "Ben"));
        futures::future::try_join_all(booked).await?;

        let mut busy = all().await?;
        crash();
        for connection in &mut busy {
            let book =
                sqlx::query("INSERT INTO bookings VALUES ('Al')");
            let book = book.execute(&mut **connection);
            let limit = Duration::from_millis(50);
            assert!(timeout(limit, book).await.is_err());
        }
        drop(busy);
        let booked = (0..4).map(|_| book(&pool, "Cleo"));
        futures::future::try_join_all(booked).await?;
        pool.close().await;
        Ok(())
    }

    /// A pool with sqlx's defaults waits for the old primary.
    #[tokio::test]
    async fn silence_without_the_check_empties_the_pool()
    -> sqlx::Result<()> {
        let Some(server) = fresh("wc_default").await? else {
            return Ok(());
        };
        if server.get_socket().is_none() {
            return Ok(());
        }
        let folder = tempfile::tempdir()?;
        let file = format!(".s.PGSQL.{}", server.get_port());
        let listener = UnixListener::bind(folder.path().join(file))?;
        let power = Arc::new(Mutex::new(CancellationToken::new()));
        let through = server.clone().socket(folder.path());
        tokio::spawn(forward(server, listener, Arc::clone(&power)));
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(1))
            .connect_with(through)
            .await?;
        let crash = || {
            let mut power = power.lock().expect("no panic");
            std::mem::take(&mut *power).cancel();
        };
        // Idle connections: each costs one caller the whole timeout.
        drop((pool.acquire().await?, pool.acquire().await?));
        while pool.num_idle() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        crash();
        for _ in 0..2 {
            let booked = book(&pool, "Ben").await;
            assert!(matches!(booked, Err(sqlx::Error::PoolTimedOut)));
        }
        book(&pool, "Ben").await?;
        // Connections in use: their places are never free again.
        let both = (pool.acquire().await?, pool.acquire().await?);
        crash();
        drop(both);
        for _ in 0..5 {
            let booked = book(&pool, "Ben").await;
            assert!(matches!(booked, Err(sqlx::Error::PoolTimedOut)));
            assert_eq!((pool.size(), pool.num_idle()), (2, 0));
        }
        Ok(())
    }
}
