//! Check each returned connection for a transaction that is still open.

// ANCHOR: connect
use std::{io, time::Duration};

use sqlx::{
    Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

/// After this time, a returned connection is closed.
const MOMENT: Duration = Duration::from_secs(1);

/// Opens a pool that hands out no connection with an open transaction.
async fn connect(
    options: PgConnectOptions,
    connections: u32,
) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // In sqlx 0.9.0, a `begin` that is dropped while it waits leaves
        // its connection inside a transaction. `BEGIN` fails if that
        // transaction was aborted, and then sqlx closes the connection.
        // Otherwise, `ROLLBACK` ends the transaction.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                timeout(MOMENT, end)
                    .await
                    .map_err(io::Error::from)??;
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}
// ANCHOR_END: connect

use futures::FutureExt;
use sqlx::Connection;

/// Creates a schema, if there is a server. The pool has a single
/// connection, so that all requests share it.
async fn open(name: &str) -> sqlx::Result<Option<PgPool>> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        return Ok(None);
    };
    let schema = format!("{name}_{}", std::process::id());
    let options: PgConnectOptions = address.parse()?;
    let options = options.options([("search_path", &schema)]);
    let pool = connect(options, 1).await?;
    let sql = sqlx::AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE;
         CREATE SCHEMA {schema};
         CREATE TABLE orders (id BIGINT PRIMARY KEY);"
    ));
    sqlx::raw_sql(sql).execute(&pool).await?;
    Ok(Some(pool))
}

async fn close(pool: PgPool, name: &str) -> sqlx::Result<()> {
    let options = pool.connect_options();
    pool.close().await;
    let pool = PgPool::connect_with(options.as_ref().clone()).await?;
    let schema = format!("{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn place(pool: &PgPool, id: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(id)
        .execute(pool)
        .await?;
    Ok(())
}

/// The orders that another process sees.
async fn seen_elsewhere(pool: &PgPool) -> sqlx::Result<i64> {
    let options = pool.connect_options();
    let elsewhere = PgPool::connect_with(options.as_ref().clone());
    let elsewhere = elsewhere.await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders")
        .fetch_one(&elsewhere)
        .await?;
    elsewhere.close().await;
    Ok(count)
}

/// The server answers after a moment, not during the first poll.
const SLOWLY: &str = "BEGIN; SELECT pg_sleep(0.05)";

/// A `begin` that is dropped while it waits for the server's answer, as
/// by a timeout.
async fn dropped_begin(pool: &PgPool) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let begin = connection.begin_with(SLOWLY).now_or_never();
    assert!(begin.is_none(), "it waits for the server");
    Ok(())
}

fn told(result: &sqlx::Result<()>) -> String {
    match result {
        Ok(()) => "placed".to_owned(),
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            format!("{code} {}", error.message())
        }
        Err(error) => error.to_string(),
    }
}

// ANCHOR: requests
/// Four requests that share a connection. The first is canceled.
async fn requests(pool: &PgPool) -> sqlx::Result<[String; 4]> {
    dropped_begin(pool).await?;
    let one = place(pool, 1).await;
    let seen = seen_elsewhere(pool).await?;
    let same = place(pool, 1).await;
    let other = place(pool, 2).await;
    Ok([told(&one), seen.to_string(), told(&same), told(&other)])
}
// ANCHOR_END: requests

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pool) = open("clean_connections").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let [one, seen, same, other] = requests(&pool).await?;
    println!("order 1:        {one}");
    println!("seen by others: {seen}");
    println!("order 1 again:  {same}");
    println!("order 2:        {other}");
    close(pool, "clean_connections").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    async fn with_orders(
        name: &str,
        test: impl AsyncFn(&PgPool) -> sqlx::Result<()>,
    ) -> sqlx::Result<()> {
        let name = format!("clean_{name}");
        let Some(pool) = open(&name).await? else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        test(&pool).await?;
        close(pool, &name).await
    }

    #[tokio::test]
    async fn cancel_of_a_begin_leaves_no_transaction()
    -> sqlx::Result<()> {
        with_orders("cancel", async |pool| {
            let [one, seen, same, other] = requests(pool).await?;
            assert_eq!(
                (&*one, &*seen, &*other),
                ("placed", "1", "placed")
            );
            assert!(same.starts_with("23505 "), "{same}");
            Ok(())
        })
        .await
    }

    /// Drops `begin` at every poll, and the connection with it.
    #[tokio::test]
    async fn cancel_at_every_poll_leaves_no_transaction()
    -> sqlx::Result<()> {
        with_orders("polls", async |pool| {
            let ids = std::cell::Cell::new(0);
            hazards::at_every_poll(async |cancel| {
                cancel.run(pool.begin()).await;
                ids.set(ids.get() + 1);
                place(pool, ids.get()).await.expect("placed");
                let seen = seen_elsewhere(pool).await;
                assert_eq!(seen.expect("a count"), ids.get());
            })
            .await;
            Ok(())
        })
        .await
    }

    /// The transaction fails before the connection is returned.
    #[tokio::test]
    async fn failure_in_an_open_transaction_closes_the_connection()
    -> sqlx::Result<()> {
        with_orders("failure", async |pool| {
            let pid = "SELECT pg_backend_pid()";
            let before: i32 =
                sqlx::query_scalar(pid).fetch_one(pool).await?;
            let mut connection = pool.acquire().await?;
            assert!(
                connection.begin_with(SLOWLY).now_or_never().is_none()
            );
            assert!(connection.execute("SELECT 1 / 0").await.is_err());
            drop(connection);
            let after: i32 =
                sqlx::query_scalar(pid).fetch_one(pool).await?;
            assert_ne!(before, after);
            place(pool, 1).await?;
            assert_eq!(seen_elsewhere(pool).await?, 1);
            Ok(())
        })
        .await
    }

    /// The network drops every packet of a connection in use.
    #[tokio::test]
    async fn silence_of_the_network_frees_the_place() -> sqlx::Result<()>
    {
        with_orders("network", async |pool| {
            let options = pool.connect_options().as_ref().clone();
            if options.get_socket().is_none() {
                return Ok(());
            }
            let folder = tempfile::tempdir()?;
            let file = format!(".s.PGSQL.{}", options.get_port());
            let listener =
                UnixListener::bind(folder.path().join(file))?;
            let power = Arc::new(Mutex::new(CancellationToken::new()));
            let through = options.clone().socket(folder.path());
            tokio::spawn(forward(
                options,
                listener,
                Arc::clone(&power),
            ));
            let pool = connect(through, 1).await?;
            let in_use = pool.begin().await?;
            std::mem::take(&mut *power.lock().expect("no panic"))
                .cancel();
            drop(in_use);
            place(&pool, 1).await
        })
        .await
    }

    #[tokio::test]
    async fn overload_of_callers_with_dropped_begins()
    -> sqlx::Result<()> {
        with_orders("overload", async |pool| {
            let mut all = Vec::new();
            for id in 0..20 {
                all.push(async move {
                    dropped_begin(pool).await?;
                    place(pool, id).await
                });
            }
            futures::future::try_join_all(all).await?;
            assert_eq!(seen_elsewhere(pool).await?, 20);
            Ok(())
        })
        .await
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
}
