//! Query through PgBouncer in transaction mode: unnamed statements, in transactions.

// ANCHOR: open
use std::{io, time::Duration};

use sqlx::{
    Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

/// After this time, a returned connection is closed.
const MOMENT: Duration = Duration::from_secs(1);

/// Opens a pool of connections to PgBouncer.
async fn open(pgbouncer: &PgConnectOptions) -> sqlx::Result<PgPool> {
    // PgBouncer refuses this startup parameter, and `options`, unless
    // its configuration lists them.
    let options = pgbouncer.clone().extra_float_digits(None);
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(3))
        // In sqlx 0.9.0, a `begin` that was dropped leaves its
        // transaction open, which keeps a connection of the server.
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
// ANCHOR_END: open

// ANCHOR: sell
/// How long a sale may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Sells one unit. Returns false if the product is sold out. If it's
/// canceled, or times out, during the commit, the outcome is unknown.
async fn sell(pool: &PgPool, product: &str) -> sqlx::Result<bool> {
    let sale = async {
        // During a transaction, the server's connection stays the same.
        let mut transaction = pool.begin().await?;
        let sold = sqlx::query(
            "UPDATE stock SET amount = amount - 1
             WHERE product = $1 AND amount > 0",
        )
        .bind(product)
        // Unnamed, so it can't collide with another client's statement.
        .persistent(false)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(sold.rows_affected() == 1)
    };
    match timeout(LIMIT, sale).await {
        Ok(sold) => sold,
        Err(elapsed) => Err(sqlx::Error::Io(io::Error::from(elapsed))),
    }
}
// ANCHOR_END: sell

use std::env;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

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

/// Lets eight clients buy one of five. Returns how many got one.
async fn run(
    pgbouncer: &PgConnectOptions,
    server: &PgConnectOptions,
) -> sqlx::Result<usize> {
    let mut direct = PgConnection::connect_with(server).await?;
    for statement in [
        "CREATE TABLE stock
         (product TEXT PRIMARY KEY, amount BIGINT NOT NULL)",
        "INSERT INTO stock VALUES ('kettle', 5)",
    ] {
        sqlx::query(statement).execute(&mut direct).await?;
    }
    direct.close().await?;
    let pool = open(pgbouncer).await?;
    let sales = (0..8).map(|_| sell(&pool, "kettle"));
    let sold = futures::future::try_join_all(sales).await?;
    pool.close().await;
    Ok(sold.into_iter().filter(|sold| *sold).count())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some((pgbouncer, server)) = fresh("through_pgbouncer").await?
    else {
        println!("this program needs PgBouncer: set PGBOUNCER_URL");
        return Ok(());
    };
    let sold = run(&pgbouncer, &server).await?;
    println!("{sold} of 8 customers got a kettle, without an error");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left, according to the server itself.
    async fn left(server: &PgConnectOptions) -> sqlx::Result<i64> {
        let mut direct = PgConnection::connect_with(server).await?;
        let left = sqlx::query_scalar("SELECT amount FROM stock")
            .fetch_one(&mut direct)
            .await?;
        direct.close().await?;
        Ok(left)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_more_clients_than_connections_and_units()
    -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_overload").await?
        else {
            return Ok(());
        };
        assert_eq!(run(&pgbouncer, &server).await?, 5);
        // Twenty tasks share eight clients, and those two servers.
        let pool = open(&pgbouncer).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let pool = pool.clone();
            tasks.spawn(async move { sell(&pool, "kettle").await });
        }
        while let Some(sold) = tasks.join_next().await {
            assert!(!sold.expect("no panic")?);
        }
        assert_eq!(left(&server).await?, 0);
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
    async fn cancel_sells_one_unit_or_none() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_cancel").await?
        else {
            return Ok(());
        };
        run(&pgbouncer, &server).await?;
        let pool = open(&pgbouncer).await?;
        hazards::at_every_poll(async |cancel| {
            let refill = sqlx::raw_sql("UPDATE stock SET amount = 5");
            refill.execute(&pool).await.expect("refilled");
            let sold = cancel.run(sell(&pool, "kettle")).await;
            // A dropped transaction is rolled back, and doesn't
            // keep one of PgBouncer's two connections.
            no_transaction_is_open(&server).await;
            assert!(sell(&pool, "kettle").await.expect("clean"));
            let left = left(&server).await.expect("a server");
            assert!(left == 3 || (left == 4 && sold.is_none()));
        })
        .await;
        pool.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_lock_ends_at_the_limit() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_silence").await?
        else {
            return Ok(());
        };
        run(&pgbouncer, &server).await?;
        let pool = open(&pgbouncer).await?;
        let mut direct = PgConnection::connect_with(&server).await?;
        let mut locking = direct.begin().await?;
        sqlx::raw_sql("LOCK TABLE stock")
            .execute(&mut *locking)
            .await?;
        let started = std::time::Instant::now();
        let sold = sell(&pool, "kettle").await;
        assert!(matches!(
            sold,
            Err(sqlx::Error::Io(error))
                if error.kind() == io::ErrorKind::TimedOut
        ));
        assert!(started.elapsed() < LIMIT * 2);
        locking.rollback().await?;
        assert!(!sell(&pool, "kettle").await?);
        Ok(())
    }

    /// The network drops every packet of the old connections, while
    /// each of them is in use.
    #[tokio::test]
    async fn silence_of_the_network_frees_each_place()
    -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_network").await?
        else {
            return Ok(());
        };
        if pgbouncer.get_socket().is_none() {
            return Ok(());
        }
        run(&pgbouncer, &server).await?;
        let folder = tempfile::tempdir()?;
        let file = format!(".s.PGSQL.{}", pgbouncer.get_port());
        let listener = UnixListener::bind(folder.path().join(file))?;
        let power = Arc::new(Mutex::new(CancellationToken::new()));
        let through = pgbouncer.clone().socket(folder.path());
        tokio::spawn(forward(pgbouncer, listener, Arc::clone(&power)));
        let pool = open(&through).await?;
        let eight = (0..8).map(|_| pool.acquire());
        let eight = futures::future::try_join_all(eight).await?;
        std::mem::take(&mut *power.lock().expect("no panic")).cancel();
        drop(eight);
        let sales = (0..8).map(|_| sell(&pool, "kettle"));
        let sales = futures::future::try_join_all(sales).await?;
        assert_eq!(sales, [false; 8]);
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_returned_and_the_next_sale_works()
    -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_failure").await?
        else {
            return Ok(());
        };
        let pool = open(&pgbouncer).await?;
        let error = sell(&pool, "kettle").await.expect_err("no table");
        let code = error.into_database_error().expect("an answer");
        assert_eq!(code.code().as_deref(), Some("42P01"));
        assert_eq!(run(&pgbouncer, &server).await?, 5);
        assert!(!sell(&pool, "kettle").await?);
        Ok(())
    }

    #[tokio::test]
    async fn edges_an_unknown_product_and_marks() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("tp_edges").await? else {
            return Ok(());
        };
        run(&pgbouncer, &server).await?;
        let pool = open(&pgbouncer).await?;
        for product in ["", "'; DROP TABLE stock; --", "\u{17c}"] {
            assert!(!sell(&pool, product).await?);
        }
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
}
